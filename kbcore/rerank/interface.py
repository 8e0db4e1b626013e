"""Second opinion on the order of passages."""

from collections.abc import Sequence
from typing import Protocol

from kbcore.domain.document import Classification


class Reranker(Protocol):
    """Scores passages against a question. Optional: without one, the fused order stands."""

    @property
    def name(self) -> str:
        """Model and revision."""

    @property
    def allowed(self) -> Classification:
        """The highest classification of text that may be sent to it."""

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """One score for each passage, in order, higher is better. Raises `Unavailable`."""
