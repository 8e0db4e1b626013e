"""A reranker behind HTTP: the API of Cohere and Jina (also vLLM, Infinity), or that of TEI."""

import math
from collections.abc import Sequence
from typing import Any

from kbcore.errors import Unavailable
from kbcore.language.repair import repaired
from kbcore.model_server import ModelServer

BATCH = 32
"""Passages in a request: what TEI takes at most by default. A score does not depend on the other passages."""


class HttpReranker:
    """POST `<base_url>/rerank`. With a `model`, Cohere's request; without one, TEI's, which serves just one model."""

    def __init__(self, base_url: str, model: str, *, api_key: str) -> None:
        self.name = model or "rerank"
        self._model = model
        self._server = ModelServer(base_url, api_key=api_key, section="rerank")

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """See `Reranker.score`."""
        scores: list[float] = []
        for start in range(0, len(passages), BATCH):
            batch = [repaired(passage) for passage in passages[start : start + BATCH]]
            scores += _scores_in_order(
                self._server.post("/rerank", self._request(repaired(question), batch)), len(batch)
            )
        return scores

    def close(self) -> None:
        """Give back the connections."""
        self._server.close()

    def _request(self, question: str, passages: list[str]) -> dict[str, object]:
        if not self._model:
            return {"query": question, "texts": passages, "raw_scores": False, "truncate": True}
        return {
            "model": self._model,
            "query": question,
            "documents": passages,
            "top_n": len(passages),
            "return_documents": False,
        }


def _scores_in_order(answer: Any, expected: int) -> list[float]:
    """From `{"results": [{"index", "relevance_score"}]}` (Cohere, Jina) or `[{"index", "score"}]` (TEI), best first."""
    try:
        items = answer["results"] if isinstance(answer, dict) else answer
        scores = {
            int(item["index"]): float(item["relevance_score"] if "relevance_score" in item else item["score"])
            for item in items
        }
    except (KeyError, TypeError, ValueError):
        raise Unavailable("The rerank server's answer is neither that of Cohere and Jina nor that of TEI.") from None
    if scores.keys() != set(range(expected)) or not all(map(math.isfinite, scores.values())):
        raise Unavailable(f"The rerank server did not give one finite score for each of {expected} passages.")
    return [scores[index] for index in range(expected)]
