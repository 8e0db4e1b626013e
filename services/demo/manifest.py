"""The sample company as `samples/samples.toml` describes it."""

import tomllib
from datetime import datetime
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

SAMPLES = Path(__file__).parent / "samples"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SampleSpace(_Entry):
    """A space and the groups that read it."""

    name: str
    title: str
    readers: tuple[str, ...]


class SampleGroup(_Entry):
    """A group of people."""

    name: str
    title: str


class SamplePerson(_Entry):
    """A person with a key of their own."""

    name: str
    display_name: str
    clearance: str
    groups: tuple[str, ...]


class SampleDocument(_Entry):
    """A document; `files` are its versions, oldest first, in force from `effective_from` (one for each, or none).

    `broken` ones end as failed, to show how that looks.
    """

    external_id: str
    space: str
    title: str
    files: tuple[str, ...] = Field(min_length=1)
    classification: str
    tags: tuple[str, ...] = ()
    effective_from: tuple[datetime, ...] = ()
    broken: bool = False


class SampleQuestion(_Entry):
    """A question of the show: who gets an answer, from which document, and what its quotes contain."""

    text: str
    point: str
    answered_for: tuple[str, ...]
    document: str | None = None
    contains: str | None = None


class Manifest(_Entry):
    """Everything that the demo makes and asks."""

    spaces: tuple[SampleSpace, ...] = Field(alias="space")
    groups: tuple[SampleGroup, ...] = Field(alias="group")
    people: tuple[SamplePerson, ...] = Field(alias="person")
    documents: tuple[SampleDocument, ...] = Field(alias="document")
    questions: tuple[SampleQuestion, ...] = Field(alias="question")


@cache
def manifest() -> Manifest:
    """The sample company."""
    return Manifest.model_validate(tomllib.loads((SAMPLES / "samples.toml").read_text(encoding="utf-8")))
