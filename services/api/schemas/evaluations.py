"""Evaluations on the wire."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from kbcore.domain.evaluation import MAX_DROP, Evaluation, Gate, GoldenSet
from services.api.schemas.calibrations import CalibrationShown
from services.api.schemas.names import Text

_STRICT = ConfigDict(extra="forbid")


class GateBody(BaseModel):
    """What the generation must reach. A single leak in the permission trials shuts every gate."""

    model_config = _STRICT

    min_ndcg: float | None = Field(default=None, ge=0, le=1, description="Lowest mean nDCG@10; null = no floor.")
    max_drop: float = Field(
        default=MAX_DROP, ge=0, le=1, description="Most that mean nDCG@10 may lose to the baseline."
    )

    def gate(self) -> Gate:
        """As the use case takes it."""
        return Gate(self.min_ndcg, self.max_drop)


class NewEvaluation(BaseModel):
    """A measurement to make."""

    model_config = _STRICT

    set: Text = Field(description="A golden set: id or name.")
    generation: int | None = Field(default=None, description="The index generation to judge; null = the live one.")
    compare_with: int | None = Field(default=None, description="The generation to compare with; null = none.")
    gate: GateBody | None = Field(default=None, description="Needs at least 5 questions; null = measure only.")
    calibrate: bool = Field(
        default=False, description="Weigh the evidence for answers, too, to calibrate the thresholds of `[answer]`."
    )


class EvaluationAccepted(BaseModel):
    """Received; the job does the rest."""

    id: str
    job_id: str = Field(description="Follow it at `/v1/jobs/{id}`.")


class FiguresShown(BaseModel):
    """Quality of rankings of documents, 0 to 1, higher is better."""

    ndcg_10: float = Field(description="nDCG of the first 10, relevance being yes or no.")
    recall_5: float = Field(description="Share of the relevant documents among the first 5.")
    recall_10: float = Field(description="Share of the relevant documents among the first 10.")
    mrr: float = Field(description="One over the rank of the first relevant document.")


class SideShown(BaseModel):
    """One generation's means over all questions."""

    generation: int
    index: str = Field(description="`model@generation`.")
    figures: FiguresShown
    p50_ms: float = Field(description="Median time of a search, in ms.")
    p95_ms: float = Field(description="95th percentile of a search's time, in ms.")
    hits_refused: int = Field(description="Hits of the index that the check in SQL refused: nobody saw them.")
    leaks: int = Field(description="Documents shown to somebody who, by the independent check, may not read them.")


class QuestionFigures(BaseModel):
    """One question on both sides."""

    id: str
    question: str = Field(description="Its text, from the golden set.")
    figures: FiguresShown
    baseline: FiguresShown | None


class LeftOutShown(BaseModel):
    """A question that could not be judged."""

    id: str | None = Field(description="Null if you may not read its documents.")
    why: str = Field(description="`asker_gone`, or `no_readable_document`.")


class LeakShown(BaseModel):
    """Who was shown what it may not read."""

    user_id: str
    question_id: str | None = Field(description="Null if you may not read its documents.")
    document_id: str


class ReportShown(BaseModel):
    """What was measured: ids and figures."""

    questions: int = Field(description="How many could be judged.")
    unanswerable: int = Field(default=0, description="Others, that no document answers: in no mean.")
    left_out: list[LeftOutShown]
    generation: SideShown
    baseline: SideShown | None
    drop: float | None = Field(description="What mean nDCG@10 lost against the baseline; negative = it gained.")
    p_value: float | None = Field(
        description="How often chance alone would make such a difference: two-sided paired randomization test."
    )
    trials: int = Field(description="Searches of the permission trials, on each side.")
    leaks: list[LeakShown]
    refused_because: list[str] | None = Field(
        description="`leak`, `too_few_questions`, `below_min_ndcg`, `drop`; empty = passed, null = there was no gate."
    )
    worse: list[QuestionFigures] = Field(
        description="Those of `per_question` whose nDCG@10 fell, the greatest loss first."
    )
    per_question: list[QuestionFigures] = Field(description="Those whose documents you may read now.")
    withheld: int = Field(description="How many other questions were judged; the means count them.")
    calibration: CalibrationShown | None = Field(default=None, description="Null if it was not ordered.")


class EvaluationShown(BaseModel):
    """An evaluation, without its figures."""

    id: str
    set: str = Field(description="Name of the golden set.")
    generation: int
    compare_with: int | None
    gate: GateBody | None
    passed: bool | None = Field(description="Null until it has finished, and without a gate.")
    job_id: str | None
    created_by: str = Field(description="A user's id.")
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, evaluation: Evaluation) -> Self:
        """From the domain."""
        gate = evaluation.gate
        return cls(
            id=evaluation.id,
            set=evaluation.golden_set,
            generation=evaluation.generation_id,
            compare_with=evaluation.baseline_id,
            gate=None if gate is None else GateBody(min_ndcg=gate.min_ndcg, max_drop=gate.max_drop),
            passed=evaluation.passed,
            job_id=evaluation.job_id,
            created_by=evaluation.created_by,
            created_at=evaluation.created_at,
            finished_at=evaluation.finished_at,
        )


class EvaluationWithReport(EvaluationShown):
    """An evaluation with its figures."""

    report: ReportShown | None = Field(description="Null until it has finished.")

    @classmethod
    def with_report(
        cls,
        evaluation: Evaluation,
        golden: GoldenSet,
        readable: Collection[str],
        calibration: CalibrationShown | None,
    ) -> Self:
        """From the domain; the questions' texts are the golden set's.

        Single questions are shown to those who may read all of their documents: `readable` are the reader's.
        """
        report = None if evaluation.report is None else _report(evaluation.report, golden, readable)
        if report is not None:
            report.calibration = calibration
        return cls(**EvaluationShown.of(evaluation).model_dump(), report=report)


def _report(stored: Mapping[str, Any], golden: GoldenSet, readable: Collection[str]) -> ReportShown:
    texts = {
        question.id: question.question
        for question in golden.questions
        if question.documents and all(document in readable for document in question.documents)
    }
    rows = [
        QuestionFigures.model_validate({**row, "question": texts[row["id"]]})
        for row in stored["per_question"]
        if row["id"] in texts
    ]
    lost = {row.id: row.baseline.ndcg_10 - row.figures.ndcg_10 for row in rows if row.baseline is not None}
    worse = sorted((row for row in rows if lost.get(row.id, 0.0) > 0), key=lambda row: -lost[row.id])
    of_questions = {
        "withheld": len(stored["per_question"]) - len(rows),
        "per_question": rows,
        "worse": worse,
        "left_out": [{**row, "id": _known(row["id"], texts)} for row in stored["left_out"]],
        "leaks": [{**row, "question_id": _known(row["question_id"], texts)} for row in stored["leaks"]],
    }
    return ReportShown.model_validate({**stored, **of_questions})


def _known(question_id: str, shown: Collection[str]) -> str | None:
    return question_id if question_id in shown else None
