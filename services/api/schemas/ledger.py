"""The ledger on the wire."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field, TypeAdapter

from kbcore.domain.document import Version, VersionState
from kbcore.metadata.ledger import OUTCOMES, LedgerItem, LedgerSum, ReceivedSum
from kbcore.metadata.page_ledger import PageLedger
from services.api.schemas.documents import Reason

Outcome = Literal["indexed", "skipped", "failed", "pending"]
_OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)


class Sums(BaseModel):
    """Received items by how they ended: `received = indexed + skipped + failed + pending`, always."""

    received: int = Field(description="Counted by the documents as items came in, not by adding up the others.")
    indexed: int
    skipped: int
    failed: int
    pending: int

    @classmethod
    def of(cls, received: Iterable[ReceivedSum], ended: Iterable[LedgerSum]) -> Self:
        """Add up; an item whose outcome is none of these is received and nothing else."""
        by_outcome = dict.fromkeys(OUTCOMES, 0)
        for row in ended:
            if row.outcome in by_outcome:
                by_outcome[row.outcome] += row.items
        return cls(received=sum(row.items for row in received), **by_outcome)


class SpaceSums(Sums):
    """One space's part."""

    space: str = Field(description="Name of the space.")


class SourceSums(Sums):
    """The part of a space that came from one source."""

    space: str = Field(description="Name of the space.")
    source: str | None = Field(description="The folder or system that is kept in step; null = by hand.")
    withheld: bool = Field(
        default=False, description="True: of documents that you may not read; their sources are not named."
    )


class ReasonCount(BaseModel):
    """How many items ended for one reason."""

    outcome: Outcome
    code: str
    items: int


class LedgerLine(BaseModel):
    """One received item: a version of a document."""

    document_id: str
    version: int
    space: str
    source: str | None = Field(description="Null = by hand.")
    external_id: str | None
    title: str
    file_name: str
    outcome: Outcome
    reason: Reason | None
    pages: int | None
    element_counts: dict[str, int]
    received_at: datetime

    @classmethod
    def of(cls, item: LedgerItem) -> Self:
        """From SQL."""
        reason = None
        if item.reason_code is not None:
            reason = Reason(code=item.reason_code, detail=item.reason or "", page=item.reason_page)
        return cls.model_validate(
            {
                **{name: getattr(item, name) for name in cls.model_fields if hasattr(item, name)},
                "reason": reason,
                "received_at": item.created_at,
            }
        )


class Ledger(BaseModel):
    """What became of everything received, of what you may see."""

    totals: Sums
    spaces: list[SpaceSums]
    sources: list[SourceSums]
    reasons: list[ReasonCount] = Field(description="Why items were skipped or failed, most frequent first.")
    items: list[LedgerLine] = Field(description="Newest first; of documents that you may read.")
    next_cursor: str | None = Field(description="Pass as `cursor` for more items; null on the last page.")


class PageLine(BaseModel):
    """What one page holds."""

    page: int | None = Field(description="1-based; null = the format has no pages.")
    elements: dict[str, int] = Field(description="Headings, texts, tables … that are in the stored text.")
    characters: int = Field(description="Of those elements.")
    chunks: int = Field(description="Passages in the live index that begin here.")


class NotIndexed(BaseModel):
    """What was found and is not in the text."""

    why: str = Field(description="`running_header`, `running_footer` or `page_without_text` (a scan, say).")
    items: int
    pages: list[int] = Field(description="Where that is known.")


class VersionLedger(BaseModel):
    """One version, down to its pages: everything that was found is in `pages` or in `not_indexed`."""

    document_id: str
    version: int
    outcome: Outcome
    reason: Reason | None
    elements: dict[str, int] = Field(description="All that parsing found, by kind.")
    pages: list[PageLine] = Field(description="Empty before it is parsed, and when its text was purged.")
    not_indexed: list[NotIndexed]

    @classmethod
    def of(cls, version: Version, found: PageLedger) -> Self:
        """From SQL."""
        waiting = version.state in (VersionState.PENDING, VersionState.STAGED)
        reason = None
        if version.reason_code is not None:
            reason = Reason(code=version.reason_code, detail=version.reason or "", page=version.reason_page)
        return cls(
            document_id=version.document_id,
            version=version.number,
            outcome=_OUTCOME.validate_python("pending" if waiting else version.state.value),
            reason=reason,
            elements=dict(found.elements),
            pages=[
                PageLine(page=item.page, elements=dict(item.elements), characters=item.characters, chunks=item.chunks)
                for item in found.pages
            ],
            not_indexed=[NotIndexed(why=item.why, items=item.items, pages=list(item.pages)) for item in found.left_out],
        )
