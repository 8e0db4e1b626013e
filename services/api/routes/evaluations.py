"""`/v1/evaluations`: how well a generation of the index finds what golden questions ask for."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.errors import NotFound
from kbcore.metadata import evaluations
from kbcore.metadata.access import read_scope
from kbcore.metadata.passages import readable_documents
from services.api.dependencies import CallerDep, PlatformDep
from services.api.paging import PageDep
from services.api.schemas.calibrations import CalibrationShown
from services.api.schemas.evaluations import EvaluationAccepted, EvaluationShown, EvaluationWithReport, NewEvaluation
from services.api.schemas.page import Page
from services.api.schemas.problem import problems
from services.api.writes import Done, WriteDep
from services.evaluation.calibration import KEEP
from services.evaluation.evidence import Weighing
from services.evaluation.golden_sets import known_set
from services.evaluation.order import order_evaluation

router = APIRouter(prefix="/v1/evaluations", tags=["quality"])

KeepParam = Annotated[float, Query(gt=0, le=1, description="Share of the answerable questions to be kept.")]


@router.post(
    "",
    summary="Measure an index generation",
    status_code=202,
    response_model=EvaluationAccepted,
    responses=problems(403, 404, 409),
)
def add_evaluation(body: NewEvaluation, write: WriteDep, caller: CallerDep) -> Response:
    """Each question is asked with its asker's rights, by the search that answers everybody. Administrators only."""

    def work(connection: Connection) -> Done:
        evaluation_id, job_id = order_evaluation(
            connection,
            caller,
            golden_set=body.set,
            generation=body.generation,
            compare_with=body.compare_with,
            gate=None if body.gate is None else body.gate.gate(),
            calibrate=body.calibrate,
        )
        # Nothing to send: an API process finds the job in SQL.
        return Done(EvaluationAccepted(id=evaluation_id, job_id=job_id), status=202)

    return write.perform(work, before_replay=None)


@router.get("", summary="List evaluations", responses=problems(400, 403))
def list_evaluations(page: PageDep, platform: PlatformDep) -> Page[EvaluationShown]:
    """Newest first, without their figures. Administrators only."""
    with platform.database.snapshot() as connection:
        rows = evaluations.list_of(connection, after=page.after, limit=page.fetch)
    return page.page(rows, lambda row: row.id, EvaluationShown.of)


@router.get("/{evaluation_id}", summary="Read an evaluation", responses=problems(403, 404))
def read_evaluation(
    evaluation_id: str, platform: PlatformDep, caller: CallerDep, keep: KeepParam = KEEP
) -> EvaluationWithReport:
    """With all means, and the figures of those questions whose documents you may read now. Administrators only.

    A calibration proposes thresholds for any `keep`, from what was measured once.
    """
    with platform.database.snapshot() as connection:
        found = evaluations.get(connection, evaluation_id)
        if found is None:
            raise NotFound("evaluation")
        golden = known_set(connection, found.golden_set_id)
        documents = {document for question in golden.questions for document in question.documents}
        readable = readable_documents(connection, caller.user_id, sorted(documents))
        rights = read_scope(connection, caller)
    calibration = None
    if weighing := (found.report or {}).get("weighing"):
        answer = platform.settings.answer
        calibration = CalibrationShown.of(Weighing.of(weighing), golden, rights, readable, answer, keep)
    return EvaluationWithReport.with_report(found, golden, readable, calibration)
