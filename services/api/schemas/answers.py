"""Answers that cite a document, on the wire: never their text."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from kbcore.domain.conversation import BuiltAnswer, SourceStatus, StaleSource


class BuiltAnswerShown(BaseModel):
    """An answer that cites a version of the document."""

    trace_id: str = Field(description="Of the request that was answered.")
    turn_id: str
    asked_by: str = Field(description="A user's id.")
    asked_at: datetime
    version: int = Field(description="The version that it cites.")
    status: SourceStatus = Field(
        description="`current`: every quote still stands in the version in force; `replaced`: not so; `retracted`: "
        "nothing of the document is in force; `erased`: it is physically gone."
    )

    @classmethod
    def of(cls, answer: BuiltAnswer) -> Self:
        """From SQL."""
        return cls(**{name: getattr(answer, name) for name in cls.model_fields})


class StaleShown(BaseModel):
    """A source of an answer that is not what it was."""

    document_id: str
    version: int = Field(description="The version that the answer cites.")
    status: SourceStatus = Field(description="`replaced`, `retracted` or `erased`.")
    current_version: int | None = Field(description="The version in force now; null if none is.")

    @classmethod
    def of(cls, stale: StaleSource) -> Self:
        """From SQL."""
        return cls(**{name: getattr(stale, name) for name in cls.model_fields})
