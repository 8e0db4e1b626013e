"""Glossary entries on the wire."""

import unicodedata
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from kbcore.domain.glossary import MAX_EXPANSIONS, MAX_TERM, GlossaryEntry
from services.api.schemas.names import Text


def _word(value: str) -> str:
    """As it is compared with questions: NFKC, single spaces, and something in it that can be searched for."""
    word = " ".join(unicodedata.normalize("NFKC", value).split())
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in word):
        raise ValueError("control characters are not allowed")
    if not 1 <= len(word) <= MAX_TERM or not any(character.isalnum() for character in word):
        raise ValueError(f"1 to {MAX_TERM} characters, one of them a letter or digit")
    return word


Word = Annotated[Text, AfterValidator(_word)]
"""A word or a few, 1 to 60 characters."""

Expansions = Annotated[list[Word], Field(min_length=1, max_length=MAX_EXPANSIONS)]
"""Other words for a term, each once."""


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @field_validator("expansions", check_fields=False)
    @classmethod
    def _distinct(cls, value: list[str] | None) -> list[str] | None:
        if value is None:
            return None
        once: dict[str, str] = {}
        for word in value:
            once.setdefault(word.casefold(), word)
        return list(once.values())


class NewGlossaryEntry(_Words):
    """What else a term is called."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"term": "PTO", "expansions": ["年假", "annual leave"]}]}
    )

    term: Word = Field(description="As people ask: `年假`, `PTO`, `P1`.")
    expansions: Expansions = Field(description="As documents say it: synonyms, full forms, either language.")
    space: Text | None = Field(
        default=None, max_length=100, description="Holds in this space (id or name); null = everywhere."
    )


class GlossaryChange(_Words):
    """What to change; what is left out stays."""

    term: Word | None = None
    expansions: Expansions | None = None


class GlossaryEntryShown(BaseModel):
    """A glossary entry: searches for the term look for its expansions, too."""

    id: str
    space: str | None = Field(description="Name of the space that it holds in; null = everywhere.")
    term: str
    expansions: list[str]
    created_by: str = Field(description="A user's id.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, entry: GlossaryEntry) -> Self:
        """From the domain."""
        return cls(**{name: getattr(entry, name) for name in cls.model_fields})
