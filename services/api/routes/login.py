"""`/v1/login`, `/v1/logout` and passwords. None of them takes an `Idempotency-Key`: no trace of a password is kept."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.audit.events import AuditEvent
from services.api.dependencies import AddressDep, CallerDep, LoginDep, PlatformDep
from services.api.schemas.login import Credentials, PasswordChange, Session
from services.api.schemas.problem import problems
from services.api.writes import Done, identified
from services.auth.login import set_password

router = APIRouter(prefix="/v1", tags=["people"])


_REFUSED = {
    401: "The name or the password is wrong, or its user may not log in.",
    403: "Logging in with a password is switched off.",
    429: "Too many attempts by this name or from this address; `Retry-After` says for how many seconds.",
}
_LOGIN_PROBLEMS = {
    status: {**problem, "description": _REFUSED.get(int(status), problem["description"])}
    for status, problem in problems().items()
}


@router.post("/login", summary="Log in", responses=_LOGIN_PROBLEMS)
def log_in(body: Credentials, login: LoginDep, address: AddressDep) -> Session:
    """With a name and a password, for people who have one. Attempts are counted by name and by address.

    The answer is the same 401 for an unknown name, a wrong password and a user who may not log in.
    """
    issued = login.log_in(body.name, body.password, address)
    assert issued.key.expires_at is not None
    return Session(token=issued.token, expires_at=issued.key.expires_at)


@router.post("/logout", summary="Log out", status_code=204, responses=problems(409))
def log_out(caller: CallerDep, login: LoginDep) -> Response:
    """Ends the session that the request was sent with, at once."""
    login.log_out(caller)
    return Response(status_code=204)


@router.put("/users/{user}/password", summary="Set a password", status_code=204, responses=problems(404, 409))
def change_password(
    user: str, body: PasswordChange, request: Request, platform: PlatformDep, caller: CallerDep, login: LoginDep
) -> Response:
    """`me` with the old password; administrators set those of others. Every session of that user ends."""
    new = login.new_password(caller, user, body.password, body.old_password)

    def work(connection: Connection) -> Done:
        set_password(connection, new)
        return Done(status=204, events=(AuditEvent.by(caller, "password.set", user=new.user.id),))

    return identified(request, platform, caller, None, b"").perform(work, before_replay=None)
