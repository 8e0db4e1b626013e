"""Any server with OpenAI's embeddings API: TEI, vLLM, Ollama, Infinity, llama.cpp, OpenAI itself."""

import hashlib
import re
from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np

from kbcore.embedding.interface import Matrix
from kbcore.embedding.vectors import unit_rows
from kbcore.errors import Unavailable
from kbcore.language.repair import repaired
from kbcore.model_server import ModelServer

LETTERS_IN_TOKEN = 3

_WORDS_AND_CHARACTERS = re.compile(r"[A-Za-z]+|\S")


class OpenAICompatibleEmbedder:
    """`dimension` = 0 asks the server once, with a short text. The name tells models, not servers, apart."""

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str,
        dimension: int,
        max_tokens: int,
        query_prefix: str,
        passage_prefix: str,
        batch_size: int,
    ) -> None:
        prefixes = hashlib.sha256(f"{query_prefix}\0{passage_prefix}".encode()).hexdigest()
        self.name = f"{model}@{prefixes[:8]}"
        self.max_tokens = max_tokens
        self._model = model
        self._dimension = dimension
        self._query_prefix = query_prefix
        self._passage_prefix = passage_prefix
        self._batch_size = batch_size
        self._lock = Lock()
        self._server = ModelServer(base_url, api_key=api_key, section="embedding")

    @property
    def dimension(self) -> int:
        """As configured, or as the server's first vector shows."""
        with self._lock:
            if self._dimension == 0:
                self._dimension = _first_length(self._request(["dimension"]))
            return self._dimension

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """float32[len(texts), dimension]; `batch_size` texts in a request."""
        dimension = self.dimension
        vectors = np.empty((len(texts), dimension), np.float32)
        for start in range(0, len(texts), self._batch_size):
            batch = texts[start : start + self._batch_size]
            rows = self._request([self._passage_prefix + text for text in batch])
            vectors[start : start + len(batch)] = unit_rows(rows, rows=len(batch), dimension=dimension)
        return vectors

    def embed_query(self, text: str) -> Matrix:
        """float32[dimension]."""
        rows = self._request([self._query_prefix + text])
        vector: Matrix = unit_rows(rows, rows=1, dimension=self.dimension)[0]
        return vector

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """An estimate made here, rather too high: the API has no call for it.

        A third of a token for each Latin letter, rounded up for each word, and one for every other character that is
        not white space. That is 1.1 to 1.7 times what XLM-R's vocabulary gives on Chinese and English prose, and 0.8
        to 1.4 times on tables of numbers: keep `chunking.max_tokens` at three quarters of the model's window or less.
        """
        return [_estimate(text) for text in texts]

    def close(self) -> None:
        """Give back the connections."""
        self._server.close()

    def _request(self, texts: list[str]) -> list[Any]:
        """One row of numbers for each text, in order; OpenAI refuses the empty text, so a space stands for it."""
        answer = self._server.post(
            "/embeddings",
            {"model": self._model, "input": [repaired(text) or " " for text in texts], "encoding_format": "float"},
        )
        return _rows_in_order(answer, len(texts))


def _rows_in_order(answer: Any, expected: int) -> list[Any]:
    try:
        rows = {int(item["index"]): item["embedding"] for item in answer["data"]}
    except (KeyError, TypeError, ValueError):
        raise Unavailable("The embedding server's answer is not that of OpenAI's embeddings API.") from None
    if len(answer["data"]) != expected or rows.keys() != set(range(expected)):
        raise Unavailable(f"The embedding server gave {len(answer['data'])} vectors for {expected} texts.")
    return [rows[index] for index in range(expected)]


def _first_length(rows: list[Any]) -> int:
    if not isinstance(rows[0], list) or not rows[0]:
        raise Unavailable("The embedding server's vectors are not lists of numbers.")
    return len(rows[0])


def _estimate(text: str) -> int:
    return sum(-(-len(unit) // LETTERS_IN_TOKEN) for unit in _WORDS_AND_CHARACTERS.findall(text))
