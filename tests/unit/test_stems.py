import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from kbcore.language.stems import stem

ROOTS = ("connect", "organ", "nation", "depend", "relat", "general", "creat", "develop", "publish", "permit", "retain")
ENDINGS = ("ion", "ions", "ing", "ed", "s", "ment", "able", "ization", "ational", "ness", "fulness", "ly")
WORDS = [root + ending for root in ROOTS for ending in ENDINGS]


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads that give way after nearly every step."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_forms_of_a_word_share_a_stem() -> None:
    assert {stem(word) for word in ("connect", "connected", "connecting", "connection")} == {"connect"}


@pytest.mark.usefixtures("eager_threads")
def test_threads_do_not_disturb_each_other() -> None:
    alone = {word: stem.__wrapped__(word) for word in WORDS}

    def stems(seed: int) -> dict[str, str]:
        shuffled = random.Random(seed).sample(WORDS, len(WORDS)) * 3
        return {word: stem.__wrapped__(word) for word in shuffled}  # past the cache, which would hide the first error

    with ThreadPoolExecutor(8) as pool:
        assert all(found == alone for found in pool.map(stems, range(8)))
