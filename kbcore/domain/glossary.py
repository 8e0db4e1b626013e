"""A glossary: what else a word is called here."""

from dataclasses import dataclass
from datetime import datetime

MAX_TERM = 60
"""Characters of a term, and of each expansion."""
MAX_EXPANSIONS = 12
MAX_ENTRIES = 5_000
"""Of one space, and of those that hold everywhere."""


@dataclass(frozen=True, slots=True)
class GlossaryEntry:
    """A term and other words for it, in either language. `space` is the name of the space that it holds in.

    `space_id` and `space` are None where it holds everywhere.
    """

    id: str
    space_id: str | None
    space: str | None
    term: str
    expansions: tuple[str, ...]
    created_by: str
    created_at: datetime
    updated_at: datetime
