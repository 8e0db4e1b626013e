"""English stems (Porter 2 by Snowball), for index terms and for comparing texts."""

from functools import lru_cache
from threading import local
from typing import Any

_PER_THREAD = local()


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The stem of one lower-case word. Thread-safe."""
    return str(_stemmer().stemWord(word))


def _stemmer() -> Any:
    """This thread's own: a stemmer keeps the word it works on in itself, so two threads would stem each other's."""
    if not hasattr(_PER_THREAD, "stemmer"):
        import snowballstemmer  # noqa: PLC0415

        _PER_THREAD.stemmer = snowballstemmer.stemmer("english")
    return _PER_THREAD.stemmer
