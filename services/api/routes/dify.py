"""`POST /retrieval`: Dify's External Knowledge API; `knowledge_id` is a space, by id or by name."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from kbcore.errors import Unprocessable
from kbcore.metadata.standpoint import Narrowing
from services.api.dependencies import CallerDep, LimitsDep, PlatformDep
from services.api.schemas.names import Text
from services.api.schemas.problem import foreign_errors
from services.query.found import Ranked
from services.query.record import recorded_search
from services.query.request import SearchRequest

router = APIRouter(tags=["search"])


class RetrievalSetting(BaseModel):
    """How much to return."""

    top_k: int = Field(ge=1)
    score_threshold: float = Field(0.0, description="Leave out passages with a lower score.")


class Condition(BaseModel):
    """One comparison of a metadata field; only equality is supported."""

    name: list[Text] = Field(min_length=1, max_length=1)
    comparison_operator: str
    value: Text | int | float | None = None


class MetadataCondition(BaseModel):
    """Conditions on a document's metadata, all of which must hold."""

    logical_operator: Literal["and", "or"] = "and"
    conditions: list[Condition] = Field([], max_length=20)

    def metadata(self) -> dict[str, object]:
        """The metadata that a document must contain. Raises `Unprocessable` for what cannot be said that way."""
        if self.logical_operator == "or" and len(self.conditions) > 1:
            raise Unprocessable("metadata conditions can only be joined by `and`")
        for condition in self.conditions:
            if condition.comparison_operator not in ("is", "="):
                raise Unprocessable("the only comparison operators supported are `is` and `=`")
        return {condition.name[0]: condition.value for condition in self.conditions}


class RetrievalBody(BaseModel):
    """Dify's request."""

    knowledge_id: Text
    query: Text
    retrieval_setting: RetrievalSetting
    metadata_condition: MetadataCondition | None = None


class Record(BaseModel):
    """A passage as Dify reads it."""

    content: str
    score: float
    title: str
    metadata: dict[str, str | int | None]


class RetrievalAnswer(BaseModel):
    """Dify's response."""

    records: list[Record]


class DifyError(BaseModel):
    """Dify's error."""

    error_code: int
    error_msg: str


@router.post(
    "/retrieval",
    summary="Search one space (Dify External Knowledge API)",
    responses=foreign_errors(DifyError, 404),
)
def retrieve_for_dify(
    body: RetrievalBody, platform: PlatformDep, caller: CallerDep, limits: LimitsDep
) -> RetrievalAnswer:
    """The same search as `/v1/search`, with the same rights."""
    limits.admit()
    limit = platform.settings.retrieval.max_top_k
    request = SearchRequest(
        query=body.query,
        top_k=min(body.retrieval_setting.top_k, limit),
        narrowing=Narrowing(
            spaces=(body.knowledge_id,),
            metadata=body.metadata_condition.metadata() if body.metadata_condition else {},
        ),
    )
    threshold = body.retrieval_setting.score_threshold
    found = recorded_search(platform, caller, request, shows=lambda item: item.score >= threshold)
    return RetrievalAnswer(records=[_record(item) for item in found.ranked if item.score >= threshold])


def _record(item: Ranked) -> Record:
    passage = item.passage
    return Record(
        content=passage.text,
        score=item.score,
        title=passage.title,
        metadata={
            "document_id": passage.document_id,
            "chunk_id": passage.chunk_id,
            "version": passage.version,
            "space": passage.space,
            "page": passage.page,
            "uri": passage.uri,
        },
    )
