"""What changed between two versions, on the wire."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from services.library.diff import Change, ChangeKind, DiffPassage, TextDiff


class DiffPassageShown(BaseModel):
    """A passage of one of the two versions: characters `start:end` of its stored text."""

    start: int = Field(description="First character.")
    end: int = Field(description="One past the last character.")
    text: str
    page: int | None = Field(description="1-based.")
    heading: list[str] = Field(description="The headings above it, outermost first.")

    @classmethod
    def of(cls, passage: DiffPassage) -> Self:
        """From the use case."""
        return cls(
            start=passage.start, end=passage.end, text=passage.text, page=passage.page, heading=list(passage.heading)
        )


class ChangeShown(BaseModel):
    """One difference."""

    kind: ChangeKind = Field(
        description="`changed`: reads differently in about the same place; `moved`: reads the same in another place."
    )
    before: DiffPassageShown | None = Field(description="In the first version; null for what was added.")
    after: DiffPassageShown | None = Field(description="In the second version; null for what was removed.")

    @classmethod
    def of(cls, change: Change) -> Self:
        """From the use case."""
        before, after = (
            None if passage is None else DiffPassageShown.of(passage) for passage in (change.before, change.after)
        )
        return cls(kind=change.kind, before=before, after=after)


class DiffSummary(BaseModel):
    """Passages by what became of them."""

    added: int
    removed: int
    changed: int
    moved: int
    unchanged: int


class DiffShown(BaseModel):
    """The differences between two versions, in the order of the second one."""

    model_config = ConfigDict(serialize_by_alias=True)

    from_version: int = Field(alias="from")
    to_version: int = Field(alias="to")
    summary: DiffSummary
    changes: list[ChangeShown]

    @classmethod
    def between(cls, before: int, after: int, found: TextDiff) -> Self:
        """From the use case."""
        counts = {kind.value: found.count(kind) for kind in ChangeKind}
        return cls.model_validate(
            {
                "from": before,
                "to": after,
                "summary": DiffSummary(**counts, unchanged=found.unchanged),
                "changes": [ChangeShown.of(change) for change in found.changes],
            }
        )
