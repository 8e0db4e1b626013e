"""Calibrations on the wire."""

from dataclasses import asdict
from typing import Any, Self

from pydantic import BaseModel, Field

from kbcore.domain.evaluation import GoldenSet
from kbcore.permissions.scope import ReadScope
from kbcore.settings import AnswerSettings
from services.evaluation.calibration import calibrate, configuration
from services.evaluation.evidence import Weighing
from services.evaluation.thresholds import MIN_ANSWERABLE, MIN_UNANSWERABLE

_COUNTED = (
    "Of the unanswerable questions: how many are answerable ones, weighed without the documents that answer them."
)


class ShareShown(BaseModel):
    """What thresholds do, 0 to 1; null if there are no such questions."""

    kept: float | None = Field(description="Of the answerable questions.")
    refused: float | None = Field(description="Of the unanswerable questions.")


class GateShown(BaseModel):
    """One threshold, on the questions that it decides."""

    setting: str = Field(description="Its name in `[answer]`.")
    answerable: int
    unanswerable: int
    made: int = Field(description=_COUNTED)
    auc: float | None = Field(description="Chance that an answerable question scores higher than an unanswerable one.")
    in_force: float
    with_in_force: ShareShown
    proposed: float | None = Field(
        description=f"Null with fewer than {MIN_ANSWERABLE} answerable or {MIN_UNANSWERABLE} unanswerable questions."
    )
    with_proposed: ShareShown | None = Field(
        description="Cross-validated: each question judged by what the others propose."
    )


class LanguageShown(BaseModel):
    """All questions of a language, through both gates: of passages, and of quotes."""

    language: str = Field(description="`zh` or `en`.")
    answerable: int
    unanswerable: int
    made: int = Field(description=_COUNTED)
    with_in_force: ShareShown
    with_proposed: ShareShown = Field(description="Cross-validated; thresholds without a proposal are as in force.")


class MistakeShown(BaseModel):
    """A question that the proposed thresholds refuse although it is answerable, or let through although it is not."""

    id: str
    question: str
    answerable: bool
    made: bool = Field(description="Answerable, and weighed without the documents that answer it.")
    refused_by: str | None = Field(description="The threshold that refuses it; null if none decides.")


class CalibrationShown(BaseModel):
    """The thresholds of `[answer]` on these questions, as far as you may read all that their askers could read."""

    keep: float = Field(description="The share of the answerable questions that each proposed threshold keeps.")
    gates: list[GateShown]
    languages: list[LanguageShown]
    mistakes: list[MistakeShown]
    configuration: str = Field(description="The proposals as a configuration file takes them; empty if there are none.")
    left_out: int = Field(description="Questions not weighed: whoever ordered this may not read all their askers may.")
    withheld: int = Field(
        description="Questions weighed, and in no figure here: you may not read all that they rest on."
    )

    @classmethod
    def of(
        cls,
        weighing: Weighing,
        golden: GoldenSet,
        reader: ReadScope,
        readable: frozenset[str],
        settings: AnswerSettings,
        keep: float,
    ) -> Self:
        """The figures of those questions whose evidence the reader may know.

        `reader` is what it may read now, `readable` are those of the set's documents.
        """
        texts = {
            question.id: question.question
            for question in golden.questions
            if (question.documents or not question.answerable) and readable.issuperset(question.documents)
        }
        known = [
            row for row in weighing.weighed if row.id in texts and reader.covers(weighing.scopes[row.scope].scope())
        ]
        found = calibrate(known, settings, keep)
        shown: dict[str, Any] = {
            **asdict(found),
            "mistakes": [{**asdict(each), "question": texts[each.id]} for each in found.mistakes],
            "configuration": configuration(found.proposed),
            "left_out": len(weighing.left_out),
            "withheld": len({row.id for row in weighing.weighed} - {row.id for row in known}),
        }
        return cls.model_validate(shown)
