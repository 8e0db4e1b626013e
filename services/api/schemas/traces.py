"""Traces on the wire."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from kbcore.domain.trace import Prompted, TracedAnswer
from services.library.traces import ShownPassage, ShownTrace


class TracedPassageOut(BaseModel):
    """A passage that was retrieved, and that you may read now. No text: read it at its place."""

    number: int = Field(description="As the model saw it, from 1; numbers that are missing are withheld.")
    chunk_id: str
    document_id: str
    version: int
    title: str
    start: int = Field(description="First character, in the stored text of that version.")
    end: int
    score: float
    dense: float | None
    keyword: float | None
    rerank: float | None
    taint: float = Field(description="How much it looks like instructions to a model, 0-1; answers only.")
    signs: list[str] = Field(description="Why it does: words listed in docs/guard.md.")
    in_context: bool = Field(description="Whether the model got it.")
    cited: bool

    @classmethod
    def of(cls, shown: ShownPassage) -> Self:
        """The public shape."""
        place = shown.passage
        return cls(
            number=shown.number,
            chunk_id=place.chunk_id,
            document_id=place.document_id,
            version=place.version,
            title=shown.title,
            start=place.start,
            end=place.end,
            score=place.score,
            dense=place.dense,
            keyword=place.keyword,
            rerank=place.rerank,
            taint=place.taint,
            signs=list(place.signs),
            in_context=shown.in_context,
            cited=shown.cited,
        )


class PromptedOut(BaseModel):
    """One model that was asked."""

    model: str
    because: str = Field(description="Why this one.")
    prompt_hash: str = Field(description="SHA-256 of the exact messages: of JSON `[[role, content], …]` in UTF-8.")
    template_hash: str = Field(description="SHA-256 of the fixed text in them.")

    @classmethod
    def of(cls, prompted: Prompted) -> Self:
        """The public shape."""
        return cls(
            model=prompted.model,
            because=prompted.because,
            prompt_hash=prompted.prompt_hash,
            template_hash=prompted.template_hash,
        )


class TracedAnswerOut(BaseModel):
    """How an answer ended."""

    outcome: str = Field(description="`answered`, `abstained`, `failed`, or `left`: the client went away.")
    reason: str | None
    error_code: str | None
    model: str | None = Field(description="What wrote it.")
    prompts: list[PromptedOut] = Field(description="The models asked, in order; none where there was no evidence.")
    citations: int = Field(description="How many quotes it has.")
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str | None
    took_ms: float
    dropped: dict[str, int] = Field(description="Statements of the model that were not let pass, by fault.")
    masked: dict[str, int] = Field(description="Personal data that was hidden from the model, by kind.")
    given_before: str | None = Field(
        description="The trace id of the answer that this one repeats; for administrators and auditors."
    )
    conflict: str | None = Field(
        description="`numbers` or `denial`: two of the passages contradict each other in that; null = none do."
    )
    conflict_shown: str | None = Field(
        description="`cited` (the answer cites both), `added` (a notice below it), `left_out` (no room, or broken off)."
    )

    @classmethod
    def of(cls, answer: TracedAnswer, *, says_before: bool) -> Self:
        """The public shape; whose answer is repeated is told with `says_before`."""
        return cls(
            outcome=answer.outcome,
            reason=answer.reason,
            error_code=answer.error_code,
            model=answer.model,
            prompts=[PromptedOut.of(each) for each in answer.prompts],
            citations=len(answer.cited),
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            finish_reason=answer.finish_reason,
            took_ms=answer.took_ms,
            dropped=dict(answer.dropped),
            masked=dict(answer.masked),
            given_before=answer.given_before if says_before else None,
            conflict=None if answer.conflict is None else answer.conflict.kind,
            conflict_shown=None if answer.conflict is None else answer.conflict.shown,
        )


class Refusals(BaseModel):
    """What the index named and SQL did not confirm; for administrators and auditors."""

    chunk_ids: list[str] = Field(description="Rows of documents that you may read.")
    withheld: int = Field(description="How many others.")
    named: dict[str, int] = Field(description="How many rows each leg named, in the last round.")


class TraceOut(BaseModel):
    """The path of one search or answer, as far as you may see it now."""

    id: str = Field(description="Of this record.")
    trace_id: str = Field(description="Of the request; clients may choose it, so that several records can share one.")
    same_trace: list[str] = Field(description="Ids of the older records with this trace id that you may see.")
    kind: str = Field(description="`search` or `ask`.")
    user_id: str
    acting: str | None = Field(description="The service account that asked for that user.")
    created_at: datetime | None
    question: str | None
    question_withheld: bool
    request: dict[str, Any] | None = Field(
        description="The rest of what was asked for; withheld with the question. `standalone`, the question as it was "
        "searched, is null for others than its asker if it repeats earlier questions."
    )
    epoch: int
    index: int | None = Field(description="The index generation.")
    embedding: str | None
    analyzer: str | None
    passages: list[TracedPassageOut] = Field(description="What was retrieved and you may read now, best first.")
    withheld: int = Field(description="How many other passages there were.")
    refused: Refusals | None
    took_ms: dict[str, float]
    answer: TracedAnswerOut | None = Field(description="Null for a search, and while an answer is being written.")

    @classmethod
    def of(cls, shown: ShownTrace) -> Self:
        """The public shape."""
        trace = shown.trace
        refused = None
        if shown.refused is not None:
            legs = {leg: len(ids) for leg, ids in trace.legs.items()}
            refused = Refusals(chunk_ids=list(shown.refused), withheld=shown.refused_withheld or 0, named=legs)
        return cls(
            id=trace.id,
            trace_id=trace.trace_id,
            same_trace=list(shown.same_trace),
            kind=trace.kind,
            user_id=trace.user_id,
            acting=trace.acting,
            created_at=trace.created_at,
            question=trace.question if shown.question_shown else None,
            question_withheld=not shown.question_shown,
            request=None if shown.request is None else dict(shown.request),
            epoch=trace.epoch,
            index=trace.generation_id,
            embedding=trace.embedding,
            analyzer=trace.analyzer,
            passages=[TracedPassageOut.of(each) for each in shown.passages],
            withheld=shown.withheld,
            refused=refused,
            took_ms=dict(trace.took_ms),
            answer=None
            if trace.answer is None
            else TracedAnswerOut.of(trace.answer, says_before=shown.refused is not None),
        )
