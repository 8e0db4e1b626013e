"""Second opinion on the order of passages."""

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """Scores passages against a question. Optional: without one, the fused order stands."""

    @property
    def name(self) -> str:
        """Model and revision."""

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """One score for each passage, in order, higher is better. Raises `Unavailable`."""
