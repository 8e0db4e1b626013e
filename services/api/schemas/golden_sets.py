"""Golden sets on the wire."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kbcore.domain.evaluation import GoldenSet
from kbcore.metadata.golden_sets import WantedDocument
from services.api.schemas.names import Line, Name, Text
from services.evaluation.golden_sets import WantedQuestion, WantedSet

_STRICT = ConfigDict(extra="forbid")


class DocumentRef(BaseModel):
    """A document: by its id, or by its external id in a space."""

    model_config = _STRICT

    document_id: Text | None = None
    space: Text | None = Field(default=None, description="Id or name.")
    external_id: Line | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_id, by_name = self.document_id is not None, self.external_id is not None and self.space is not None
        if by_id == by_name or (by_id and (self.space is not None or self.external_id is not None)):
            raise ValueError("give `document_id`, or `space` and `external_id`")
        return self


class QuestionBody(BaseModel):
    """A question and every document that answers it, or none: nothing that its asker may read does."""

    model_config = _STRICT

    question: Text
    documents: list[DocumentRef] = Field(
        max_length=100, description="Empty: no document answers it. For calibration; means of retrieval leave it out."
    )
    user: Text | None = Field(default=None, description="Who asks it (id or name), with that person's rights.")


class NewGoldenSet(BaseModel):
    """A golden set to make. It never changes afterwards, so that its figures can be compared."""

    model_config = _STRICT

    name: Name
    questions: list[QuestionBody] = Field(default=[], max_length=5000)
    from_feedback: bool = Field(
        default=False,
        description="Add questions that began a conversation and whose asker rated the answer 1, with what it cited.",
    )
    ask_as: Text | None = Field(default=None, description="Who asks the questions that name nobody; null = you.")

    def wanted(self) -> WantedSet:
        """As the use case takes it."""
        questions = [
            WantedQuestion(
                item.question,
                [WantedDocument(ref.document_id, ref.space, ref.external_id) for ref in item.documents],
                item.user,
            )
            for item in self.questions
        ]
        return WantedSet(self.name, questions, self.from_feedback, self.ask_as)


class GoldenSetShown(BaseModel):
    """A golden set, without its questions."""

    id: str
    name: str
    size: int = Field(description="How many questions.")
    created_by: str = Field(description="A user's id.")
    created_at: datetime

    @classmethod
    def of(cls, golden: GoldenSet) -> Self:
        """From the domain."""
        return cls(
            id=golden.id,
            name=golden.name,
            size=len(golden.questions),
            created_by=golden.created_by,
            created_at=golden.created_at,
        )


class QuestionShown(BaseModel):
    """A golden question."""

    id: str
    question: str
    user_id: str = Field(description="Who asks it.")
    documents: list[str] = Field(description="Ids of the documents that answer it.")
    answerable: bool = Field(description="False if no document answers it.")


class GoldenSetWithQuestions(GoldenSetShown):
    """A golden set with its questions."""

    questions: list[QuestionShown]

    @classmethod
    def of(cls, golden: GoldenSet) -> Self:
        """From the domain."""
        return cls(
            **GoldenSetShown.of(golden).model_dump(),
            questions=[
                QuestionShown(
                    id=item.id,
                    question=item.question,
                    user_id=item.user_id,
                    documents=list(item.documents),
                    answerable=item.answerable,
                )
                for item in golden.questions
            ],
        )
