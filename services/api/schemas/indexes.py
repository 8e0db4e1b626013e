"""Index generations on the wire."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from kbcore.domain.evaluation import MAX_DROP
from kbcore.domain.job import Job
from kbcore.metadata.generations import FOLLOWING, Generation, GenerationState
from services.api.schemas.jobs import JobShown
from services.api.schemas.names import Text
from services.library.reindex import GateOrder, Reindex

_STRICT = ConfigDict(extra="forbid")


class ChunkingBody(BaseModel):
    """How documents are cut; what is left out stays as it is."""

    model_config = _STRICT

    max_tokens: int | None = Field(
        None, ge=32, le=8192, description="Largest passage, in the embedding model's tokens."
    )
    min_tokens: int | None = Field(None, ge=0, le=8192, description="Smaller neighbours under one heading are joined.")


class GateBody(BaseModel):
    """What the new index must reach on a golden set before it may go live."""

    model_config = _STRICT

    set: Text = Field(description="A golden set: id or name.")
    min_ndcg: float | None = Field(None, ge=0, le=1, description="Least mean nDCG@10.")
    max_drop: float = Field(MAX_DROP, ge=0, le=1, description="Most that mean nDCG@10 may fall behind the live index.")


class ReindexBody(BaseModel):
    """What to change; everything left out is as the live index has it (an empty body just rebuilds)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"embedding": "bge-m3", "gate": {"set": "faq", "max_drop": 0.02}}]},
    )

    spaces: list[Text] | None = Field(
        None, min_length=1, max_length=200, description="Cut only the documents of these spaces anew."
    )
    embedding: Text | None = Field(
        None,
        description="`default` = [embedding] of the settings; else an entry of [[embedding_profiles]], or `bundled`.",
    )
    chunking: ChunkingBody = ChunkingBody()
    analyzer: Text | None = Field(None, description="`mixed-1` or `words-1`.")
    reparse: bool = Field(
        False, description="Also read the original bytes again, into new versions where that differs."
    )
    gate: GateBody | None = None

    def order(self) -> Reindex:
        """As the use case takes it."""
        gate = None
        if self.gate is not None:
            gate = GateOrder(self.gate.set, self.gate.min_ndcg, self.gate.max_drop)
        return Reindex(
            spaces=self.spaces,
            embedding=self.embedding,
            max_tokens=self.chunking.max_tokens,
            min_tokens=self.chunking.min_tokens,
            analyzer=self.analyzer,
            gate=gate,
        )


class ReindexAccepted(BaseModel):
    """The index that will be built, and the job that builds it."""

    id: int
    job_id: str = Field(description="Follow it at `/v1/jobs/{id}`; cancel it there.")


class IndexJob(BaseModel):
    """The job that does what was asked."""

    job_id: str


class IndexShown(BaseModel):
    """One index generation."""

    id: int
    label: str = Field(description="As answers name it: model@generation.")
    collection: str = Field(description="Its name in Milvus.")
    state: GenerationState
    embedding: str = Field(description="Model and revision of its vectors.")
    dimension: int
    chunking: dict[str, int]
    space_chunking: dict[str, dict[str, int]] = Field(description="By space id, where it differs.")
    analyzer: str
    rows: int = Field(description="Passages that are searched at present.")
    documents: int = Field(description="Documents that it holds, with their history.")
    lag: int | None = Field(description="Publications that it has yet to take over; null while it is built or gone.")
    gate: dict[str, Any] | None
    evaluation_id: str | None = Field(description="The newest run of its gate: `/v1/evaluations/{id}`.")
    job: JobShown | None = Field(description="What built it.")
    created_by: str
    created_at: datetime
    ready_at: datetime | None
    live_at: datetime | None
    retired_at: datetime | None

    @classmethod
    def of(cls, generation: Generation, *, documents: int, epoch: int, job: Job | None) -> Self:
        """From SQL."""
        lag = None
        if generation.state in (*FOLLOWING, GenerationState.LIVE):
            lag = 0 if generation.built_through is None else max(0, epoch - generation.built_through)
        fields = {name: getattr(generation, name) for name in cls.model_fields if hasattr(generation, name)}
        return cls.model_validate(
            {**fields, "documents": documents, "lag": lag, "job": None if job is None else JobShown.of(job)}
        )
