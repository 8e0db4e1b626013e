"""A reranker behind HTTP, in one of three shapes: Cohere's, Jina's, TEI's."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kbcore.domain.document import Classification
from kbcore.errors import ConfigurationError, Unavailable
from kbcore.language.repair import repaired
from kbcore.model_server import ModelServer

Shape = Literal["cohere", "jina", "tei"]

_ENDS_IN_VERSION = re.compile(r"/v\d+/*$")
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class _Form:
    """Where a shape is asked, how the passages are called, and how a score is; `batch`: passages in one request."""

    path: str
    passages: str
    score: str
    batch: int
    has_model: bool = True


# Batches: Cohere recommends at most 1,000; Jina's own API takes 2,048; TEI takes 32 unless it is told otherwise.
_FORMS: Mapping[Shape, _Form] = {
    "cohere": _Form("/v2/rerank", "documents", "relevance_score", 1000),
    "jina": _Form("/v1/rerank", "documents", "relevance_score", 1000),
    "tei": _Form("/rerank", "texts", "score", 32, has_model=False),
}


class HttpReranker:
    """Asks a server for scores. Scores are 0-1 and do not depend on the other passages, so batches are comparable.

    `cohere` is Cohere's `/v2/rerank`, `jina` Jina's `/v1/rerank` (also vLLM, Infinity, Xinference, llama.cpp), `tei`
    the `/rerank` of Hugging Face's text-embeddings-inference.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str,
        shape: Shape,
        allowed: Classification,
        raw_scores: bool = False,
        batch: int = 0,
        timeout_s: float = 10.0,
    ) -> None:
        """`batch` 0 = what the shape's servers take. `raw_scores`: the server gives logits, which are put on 0-1 here.

        `timeout_s` holds for one attempt, and no other begins later than that. Raises `ConfigurationError`.
        """
        self._form = _FORMS[shape]
        if self._form.has_model and not model:
            raise ConfigurationError(f"rerank.model must name the model that the server of shape {shape} is to use.")
        self.name = model or "rerank"
        self.allowed = allowed
        self._shape = shape
        self._model = model
        self._raw = raw_scores
        self._batch = batch or self._form.batch
        self._path = "/rerank" if _ENDS_IN_VERSION.search(base_url) else self._form.path
        self._server = ModelServer(
            base_url, api_key=api_key, section="rerank", timeout_s=timeout_s, patience_s=timeout_s
        )

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """See `Reranker.score`."""
        scores: list[float] = []
        for start in range(0, len(passages), self._batch):
            batch = [repaired(passage) for passage in passages[start : start + self._batch]]
            answer = self._server.post(self._path, self._request(repaired(question), batch))
            scores += self._scores_in_order(answer, len(batch))
        return scores

    def close(self) -> None:
        """Give back the connections."""
        self._server.close()

    def _request(self, question: str, passages: list[str]) -> dict[str, object]:
        asked: dict[str, object] = {"query": question, self._form.passages: passages}
        match self._shape:
            case "cohere":
                return {**asked, "model": self._model, "top_n": len(passages)}
            case "jina":
                return {**asked, "model": self._model, "top_n": len(passages), "return_documents": False}
            case "tei":
                return {**asked, "raw_scores": self._raw, "return_text": False, "truncate": True}

    def _scores_in_order(self, answer: Any, expected: int) -> list[float]:
        """From `{"results": [{"index", "relevance_score"}]}` or, of TEI, `[{"index", "score"}]`; in any order.

        A server that leaves out a passage, names one twice or one that was not sent, is broken: which of its scores
        belongs to which passage would be a guess.
        """
        items = answer if self._shape == "tei" else answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(items, list):
            raise Unavailable(f"The rerank server's answer is not that of the shape {self._shape}: check rerank.shape.")
        scores: dict[int, float] = {}
        for item in items:
            index, score = self._one(item)
            if index in scores or not 0 <= index < expected:
                raise Unavailable("The rerank server names a passage twice, or one that it was not sent.")
            scores[index] = score
        if len(scores) != expected:
            raise Unavailable(f"The rerank server gave {len(scores)} scores for {expected} passages.")
        return [scores[index] for index in range(expected)]

    def _one(self, item: Any) -> tuple[int, float]:
        index = item.get("index") if isinstance(item, dict) else None
        score = item.get(self._form.score) if isinstance(item, dict) else None
        if type(index) is not int or not isinstance(score, int | float) or not math.isfinite(score):
            raise Unavailable("A result of the rerank server has no index, or no finite score: check rerank.shape.")
        if self._raw:
            return index, _logistic(float(score))
        if not -_ROUNDING <= score <= 1 + _ROUNDING:
            raise Unavailable("A score of the rerank server is not between 0 and 1: set rerank.raw_scores.")
        return index, min(max(float(score), 0.0), 1.0)


def _logistic(logit: float) -> float:
    """0-1; keeps the order, and logits that are huge from overflowing."""
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    grown = math.exp(logit)
    return grown / (1.0 + grown)
