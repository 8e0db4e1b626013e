"""What was understood of a question beyond its words; goes to the trace, never into an answer as the asker's words."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Understood:
    """`follow_up` is how a follow-up was made whole: `rules`, `model`, or None for a question that stands alone.

    `glossary` are the ids of the entries that were applied, `respelled` counts corrected words, and `effective_at` is
    the moment that time words meant, if versions of then answer; None = the present or what the asker said itself.
    `searched` is the question with its words corrected and expanded, empty if it was searched as it is: no trace has
    it.
    """

    follow_up: str | None = None
    glossary: tuple[str, ...] = ()
    respelled: int = 0
    effective_at: datetime | None = None
    searched: str = ""

    def traced(self) -> dict[str, object]:
        """For the trace: a fixed vocabulary, ids and figures."""
        at = None if self.effective_at is None else self.effective_at.isoformat()
        return {
            "follow_up": self.follow_up,
            "glossary": list(self.glossary),
            "respelled": self.respelled,
            "effective_at": at,
        }


NOTHING = Understood()
