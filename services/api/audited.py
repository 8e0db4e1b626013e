"""What the audit log says about a request: ids and words of the API's own, nothing that a caller wrote."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import Request

from kbcore.audit.events import AuditEvent
from kbcore.domain.principal import Caller

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_NUMBERS = frozenset({"number", "other", "index_id"})
"""Parameters that are numbers; a number elsewhere is a name, and may be somebody's telephone."""
_MOST_DOCUMENTS = 1000


class SeenRequest:
    """A request as the audit log knows it. Made before the route has run, asked when it has."""

    def __init__(self, request: Request) -> None:
        self._request = request

    @property
    def route(self) -> str:
        """Method and template of the address: `GET /v1/documents/{document_id}`."""
        path = getattr(self._request.scope.get("route"), "path", "unmatched")
        return f"{self._request.method} {path}"

    @property
    def caller(self) -> Caller | None:
        """Who asked; None before authentication has succeeded."""
        caller = getattr(self._request.state, "caller", None)
        return caller if isinstance(caller, Caller) else None

    @property
    def is_recorded(self) -> bool:
        """True if the route has written its own record, in the transaction that made it true."""
        return bool(getattr(self._request.state, "recorded", False))

    def recorded(self) -> None:
        """Say that this request is in the log."""
        self._request.state.recorded = True

    def shows(self, document_ids: Iterable[str]) -> None:
        """Say which documents the answer speaks of."""
        self._request.state.shown = tuple(dict.fromkeys(document_ids))[:_MOST_DOCUMENTS]

    @property
    def shown(self) -> tuple[str, ...]:
        """The documents that the answer speaks of, as far as the route has said so."""
        shown: tuple[str, ...] = getattr(self._request.state, "shown", ())
        return shown

    def refused(self, status: int, code: str) -> None:
        """Say that the answer refuses what was asked, although its own status may not tell."""
        self._request.state.refused_with = status
        self._request.state.problem_code = code

    @property
    def refused_with(self) -> int | None:
        """The HTTP status that the refusal would have had; None if nobody has said so."""
        status: int | None = getattr(self._request.state, "refused_with", None)
        return status

    @property
    def path(self) -> dict[str, str | None]:
        """The parameters in the address. What is no id is a name, or anything at all: None."""
        given: Mapping[str, object] = self._request.path_params
        return {name: str(value) if _is_id(name, str(value)) else None for name, value in given.items()}

    def event(
        self, caller: Caller, kind: str, status: int, body: Mapping[str, object] | None = None, **more: Any
    ) -> AuditEvent:
        """An event of this request; of the answer's body only ids are kept."""
        method, _, route = self.route.partition(" ")
        detail: dict[str, Any] = {"method": method, "route": route, "path": self.path, "status": status, **more}
        if made := _ids_in(body or {}):
            detail["made"] = made
        documents = (self.path.get("document_id"), made.get("document_id"), *self.shown)
        return AuditEvent.by(
            caller, kind, documents=tuple(dict.fromkeys(str(each) for each in documents if each)), **detail
        )


def _ids_in(body: Mapping[str, object]) -> dict[str, str | int]:
    """The ids that an answer names, without those that its sender made up."""
    found: dict[str, str | int] = {}
    for name, value in body.items():
        if name != "id" and not (name.endswith("_id") and name != "external_id"):
            continue
        if isinstance(value, int) or (isinstance(value, str) and _ID.fullmatch(value)):
            found[name] = value
    return found


def _is_id(name: str, value: str) -> bool:
    return bool(_ID.fullmatch(value) or (name in _NUMBERS and _NUMBER.fullmatch(value)))
