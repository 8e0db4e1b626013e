"""Content filters: what may be asked, and what may be said, besides what documents and rights decide."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from kbcore.domain.document import Classification


class Direction(StrEnum):
    """What is checked: a question, or what is about to be shown."""

    IN = "in"
    OUT = "out"


class Decision(StrEnum):
    """What becomes of a text."""

    ALLOW = "allow"
    MASK = "mask"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is a word (a category); `text` what may go on instead (`mask`); `notice` what people are told."""

    decision: Decision
    reason: str = ""
    text: str = ""
    notice: str = ""


ALLOWED = Verdict(Decision.ALLOW)


class ContentFilter(Protocol):
    """Judges a text. Raises `Unavailable` if it cannot: nothing is let through unjudged."""

    @property
    def name(self) -> str:
        """As in `[guard] filters`."""

    @property
    def most_secret(self) -> Classification:
        """The highest level of text that it may be shown."""

    def check(self, text: str, direction: Direction, language: str) -> Verdict:
        """The verdict on a text; `language` (`zh`, `en`) is that of the notice."""
