"""Vectors of questions, kept in memory: the same question is often asked again, in one conversation or by many people.

No text is kept, neither of questions nor of documents; nothing outlives the process.
"""

import hashlib
import threading
from collections import OrderedDict

from kbcore.embedding.interface import Embedder, Matrix

_MOST = 2048
"""At 384 dimensions about 3 MB."""


class QuestionVectors:
    """The vectors asked for last, by model and SHA-256 of the text. Safe to use from many threads."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._vectors: OrderedDict[tuple[str, bytes], Matrix] = OrderedDict()

    def of(self, embedder: Embedder, question: str) -> Matrix:
        """float32[dimension], not to be written to. Raises what `embed_query` raises."""
        key = embedder.name, hashlib.sha256(question.encode(errors="surrogatepass")).digest()
        with self._lock:
            if key in self._vectors:
                self._vectors.move_to_end(key)
                return self._vectors[key]
        vector = embedder.embed_query(question)
        vector.setflags(write=False)
        with self._lock:
            self._vectors[key] = vector
            while len(self._vectors) > self._most:
                self._vectors.popitem(last=False)
        return vector
