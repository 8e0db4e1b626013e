"""Snapshots: names for an epoch."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of one space (`space_id`, `space` is its name) or of everything (both None), when it was made."""

    id: str
    name: str
    space_id: str | None
    space: str | None
    epoch: int
    comment: str | None
    created_by: str
    created_at: datetime
