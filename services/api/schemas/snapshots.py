"""Snapshots on the wire."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from kbcore.domain.snapshot import Snapshot
from services.api.schemas.names import Line, Name, Text


class NewSnapshot(BaseModel):
    """A name for the present state."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    space: Text | None = Field(
        default=None, max_length=100, description="Of this space (id or name); null = of everything."
    )
    comment: Line | None = None


class SnapshotShown(BaseModel):
    """A named state: `"as_of": "snapshot:NAME"` searches it, with today's permissions."""

    name: str
    space: str | None = Field(description="Name of its space; null = of everything.")
    epoch: int = Field(description="The publication up to which it reaches.")
    comment: str | None
    created_by: str = Field(description="A user's id.")
    created_at: datetime

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """From the domain."""
        return cls(**{name: getattr(snapshot, name) for name in cls.model_fields})
