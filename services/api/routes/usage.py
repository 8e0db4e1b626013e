"""`GET /v1/usage`: what models cost, for everyone about itself, for auditors and administrators about all."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from kbcore.domain.principal import Caller
from kbcore.errors import NotFound
from kbcore.metadata import users
from kbcore.metadata.database import Database
from kbcore.metadata.usage import ERASED, By, Figures, Which, figures, space_id
from services.api.dependencies import CallerDep, PlatformDep
from services.api.schemas.names import Text
from services.api.schemas.problem import problems
from services.api.schemas.usage import UsageAnswer, UsageFigures

router = APIRouter(prefix="/v1/usage", tags=["audit"])


@router.get("", summary="Read what models cost", responses=problems(404))
def read_usage(
    platform: PlatformDep,
    caller: CallerDep,
    user: Annotated[Text | None, Query(description="Id or name; `erased` for people who were erased.")] = None,
    space: Annotated[Text | None, Query(description="Id or name of the only space that was asked in.")] = None,
    model: Annotated[Text | None, Query(description="A model's name.")] = None,
    since: Annotated[date | None, Query(description="From this day (UTC) on.")] = None,
    until: Annotated[date | None, Query(description="Until before this day.")] = None,
    by: Annotated[By, Query(description="What is summed up.")] = By.DAY,
) -> UsageAnswer:
    """Answers and embeddings: requests, tokens, cost, time. Yours; administrators and auditors see everybody's.

    A request counts when it is complete. Searches call no model and are not in it.
    """
    which = Which(_user(platform.database, caller, user), None, model, since, until)
    with platform.database.snapshot() as connection:
        if space is not None:
            which = Which(which.user_id, space_id(connection, space), model, since, until)
        found = figures(connection, caller, which, by)
    items = [UsageFigures.of(each) for each in found]
    return UsageAnswer(by=by, items=items, total=UsageFigures.of(_total(found)))


def _user(database: Database, caller: Caller, user: str | None) -> str | None:
    """The user's id; of others than the caller nothing is said to whoever may not see them, not even that they are."""
    if user is None or user in (caller.user_id, caller.name):
        return None if user is None else caller.user_id
    if not caller.is_trusted:
        raise NotFound("user")
    if user == ERASED:
        return user
    with database.statement() as connection:
        return users.get_user(connection, user).id


def _total(found: list[Figures]) -> Figures:
    return Figures(
        None,
        sum(each.requests for each in found),
        sum(each.prompt_tokens for each in found),
        sum(each.completion_tokens for each in found),
        sum(each.cost_micros for each in found),
        sum(each.latency_ms for each in found),
    )
