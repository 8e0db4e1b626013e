"""Who may call which route, and which scope a key needs for it: the one table that says so.

The application is not built unless every route that it serves has a row here and every row a route. What a caller may
do to a single document, space or job is decided behind the route, by its role there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Route

from kbcore.domain.principal import Caller, Scope
from kbcore.errors import Forbidden


class Who(StrEnum):
    """Who may call a route."""

    PUBLIC = "public"  # everybody, without a key
    CALLER = "caller"  # whoever is authenticated
    ITSELF = "itself"  # the same, but nobody in its name: passwords, keys, sessions
    TRUSTED = "trusted"  # auditors and administrators
    NAMED = "named"  # auditors, administrators, and keys that name the route's scope
    ADMIN = "admin"  # administrators


@dataclass(frozen=True, slots=True)
class Right:
    """What a route asks of its caller. A key without the `scope` is refused; None = any key will do."""

    who: Who
    scope: Scope | None = None


_PUBLIC = Right(Who.PUBLIC)
_ME = Right(Who.CALLER)
_MYSELF = Right(Who.ITSELF, Scope.ADMIN)
_SEARCH = Right(Who.CALLER, Scope.SEARCH)
_ASK = Right(Who.CALLER, Scope.ASK)
_READ = Right(Who.CALLER, Scope.READ)
_WRITE = Right(Who.CALLER, Scope.WRITE)
_ADMIN = Right(Who.ADMIN, Scope.ADMIN)
_LOOK = Right(Who.TRUSTED, Scope.ADMIN)
_AUDIT = Right(Who.TRUSTED, Scope.AUDIT)
_PROVISION = Right(Who.ADMIN, Scope.PROVISION)
_METRICS = Right(Who.NAMED, Scope.METRICS)

RIGHTS: Mapping[str, Right] = {
    # Searching and asking
    "POST /v1/search": _SEARCH,
    "POST /retrieval": _SEARCH,
    "POST /v1/embeddings": _SEARCH,
    "GET /v1/models": _SEARCH,
    "GET /v1/models/{model_id:path}": _SEARCH,
    "POST /v1/ask": _ASK,
    "POST /v1/chat/completions": _ASK,
    "GET /v1/conversations": _ASK,
    "GET /v1/conversations/{conversation_id}": _ASK,
    "DELETE /v1/conversations/{conversation_id}": _ASK,
    "POST /v1/feedback": _ASK,
    "GET /v1/complaints": _AUDIT,
    "PATCH /v1/complaints/{complaint_id}": _ADMIN,
    "GET /v1/traces/{trace_id}": Right(Who.CALLER, Scope.AUDIT),  # one's own; auditors and administrators: all
    "POST /v1/traces/{trace_id}/replay": Right(Who.CALLER, Scope.AUDIT),
    "POST /mcp": _ME,  # each tool needs the right of the route that it stands for
    "GET /v1/usage": Right(Who.CALLER, Scope.AUDIT),  # one's own; auditors and administrators: all
    # Documents
    "POST /v1/documents": _WRITE,
    "GET /v1/documents": _READ,
    "GET /v1/documents/{document_id}": _READ,
    "PATCH /v1/documents/{document_id}": _WRITE,
    "DELETE /v1/documents/{document_id}": _WRITE,
    "PUT /v1/documents/{document_id}/content": _WRITE,
    "PUT /v1/documents/{document_id}/text": _WRITE,
    "POST /v1/documents/{document_id}/rollback": _WRITE,
    "POST /v1/documents/{document_id}/reparse": _WRITE,
    "GET /v1/documents/{document_id}/versions": _READ,
    "GET /v1/documents/{document_id}/versions/{number}": _READ,
    "GET /v1/documents/{document_id}/versions/{number}/content": _READ,
    "GET /v1/documents/{document_id}/versions/{number}/chunks": _READ,
    "GET /v1/documents/{document_id}/versions/{number}/ledger": _READ,
    "GET /v1/documents/{document_id}/versions/{number}/diff/{other}": _READ,
    "GET /v1/documents/{document_id}/answers": _READ,
    "GET /v1/documents/{document_id}/policy": _READ,
    "PUT /v1/documents/{document_id}/policy": _WRITE,
    "DELETE /v1/documents/{document_id}/policy": _WRITE,
    "POST /v1/documents/{document_id}/erase": _ADMIN,
    "GET /v1/erasures/{erasure_id}": _LOOK,
    "GET /v1/ledger": _READ,
    # Spaces
    "POST /v1/spaces": _ADMIN,
    "GET /v1/spaces": _READ,
    "GET /v1/spaces/{space}": _READ,
    "PATCH /v1/spaces/{space}": _WRITE,
    "DELETE /v1/spaces/{space}": _ADMIN,
    "GET /v1/spaces/{space}/policy": _READ,
    "PUT /v1/spaces/{space}/policy": _WRITE,
    "POST /v1/spaces/{space}/purge": _WRITE,
    "POST /v1/snapshots": _WRITE,
    "GET /v1/snapshots": _READ,
    "GET /v1/snapshots/{name}": _READ,
    "DELETE /v1/snapshots/{name}": _WRITE,
    "POST /v1/glossary": _WRITE,
    "GET /v1/glossary": _READ,
    "PATCH /v1/glossary/{entry_id}": _WRITE,
    "DELETE /v1/glossary/{entry_id}": _WRITE,
    # Long work
    "GET /v1/jobs": _READ,
    "GET /v1/jobs/{job_id}": _READ,
    "GET /v1/jobs/{job_id}/events": _READ,
    "POST /v1/jobs/{job_id}/cancel": _WRITE,
    "POST /v1/jobs/{job_id}/retry": _WRITE,
    # Oneself
    "POST /v1/login": _PUBLIC,
    "POST /v1/logout": Right(Who.ITSELF),
    "GET /v1/users/me": _ME,
    "GET /v1/users/me/export": _MYSELF,
    "GET /v1/users/me/keys": _MYSELF,
    "POST /v1/users/me/keys": _MYSELF,
    "DELETE /v1/users/me/keys/{key_id}": _MYSELF,
    "PUT /v1/users/{user}/password": _MYSELF,
    # People and keys
    "POST /v1/users": _ADMIN,
    "GET /v1/users": _LOOK,
    "GET /v1/users/{user}": _LOOK,
    "PATCH /v1/users/{user}": _ADMIN,
    "DELETE /v1/users/{user}": _ADMIN,
    "GET /v1/users/{user}/export": _ADMIN,
    "POST /v1/users/{user}/erase": _ADMIN,
    "POST /v1/groups": _ADMIN,
    "GET /v1/groups": _LOOK,
    "GET /v1/groups/{group}": _LOOK,
    "PATCH /v1/groups/{group}": _ADMIN,
    "DELETE /v1/groups/{group}": _ADMIN,
    "GET /v1/groups/{group}/members": _LOOK,
    "POST /v1/groups/{group}/members": _ADMIN,
    "DELETE /v1/groups/{group}/members/{member}": _ADMIN,
    "POST /v1/api-keys": _ADMIN,
    "GET /v1/api-keys": _LOOK,
    "GET /v1/api-keys/{key_id}": _LOOK,
    "PATCH /v1/api-keys/{key_id}": _ADMIN,
    "DELETE /v1/api-keys/{key_id}": _ADMIN,
    "GET /v1/access/explain": _AUDIT,
    "POST /v1/access/preview": _ADMIN,
    "GET /v1/audit": _AUDIT,
    "POST /v1/audit/verify": _AUDIT,
    # A directory
    "GET /scim/v2/Users": _PROVISION,
    "POST /scim/v2/Users": _PROVISION,
    "GET /scim/v2/Users/{user_id}": _PROVISION,
    "PUT /scim/v2/Users/{user_id}": _PROVISION,
    "PATCH /scim/v2/Users/{user_id}": _PROVISION,
    "DELETE /scim/v2/Users/{user_id}": _PROVISION,
    "GET /scim/v2/Groups": _PROVISION,
    "POST /scim/v2/Groups": _PROVISION,
    "GET /scim/v2/Groups/{group_id}": _PROVISION,
    "PUT /scim/v2/Groups/{group_id}": _PROVISION,
    "PATCH /scim/v2/Groups/{group_id}": _PROVISION,
    "DELETE /scim/v2/Groups/{group_id}": _PROVISION,
    "GET /scim/v2/ServiceProviderConfig": _PROVISION,
    "GET /scim/v2/ResourceTypes": _PROVISION,
    "GET /scim/v2/ResourceTypes/{name}": _PROVISION,
    "GET /scim/v2/Schemas": _PROVISION,
    "GET /scim/v2/Schemas/{schema}": _PROVISION,
    # Indexes and their quality
    "POST /v1/reindex": _ADMIN,
    "POST /v1/reindex/{index_id}/promote": _ADMIN,
    "POST /v1/reindex/{index_id}/rollback": _ADMIN,
    "GET /v1/indexes": _ADMIN,
    "GET /v1/indexes/{index_id}": _ADMIN,
    "DELETE /v1/indexes/{index_id}": _ADMIN,
    "POST /v1/indexes/{index_id}/reconcile": _ADMIN,
    "POST /v1/golden-sets": _ADMIN,
    "GET /v1/golden-sets": _ADMIN,
    "GET /v1/golden-sets/{name}": _ADMIN,
    "DELETE /v1/golden-sets/{name}": _ADMIN,
    "POST /v1/evaluations": _ADMIN,
    "GET /v1/evaluations": _ADMIN,
    "GET /v1/evaluations/{evaluation_id}": _ADMIN,
    # Operations and the page
    "GET /.well-known/oauth-protected-resource": _PUBLIC,
    "GET /.well-known/oauth-protected-resource/mcp": _PUBLIC,
    "GET /healthz": _PUBLIC,
    "GET /readyz": _PUBLIC,
    "GET /metrics": _METRICS,
    "GET /openapi.json": _PUBLIC,
    "GET /": _PUBLIC,
    "GET /assets/{name}": _PUBLIC,
}
"""`METHOD /path` as the route is declared → the right that it needs."""

OPENING = frozenset(right.scope for right in RIGHTS.values() if right.who is Who.NAMED)
"""Scopes that open a route by being named: nobody gives them away who could not call it."""


def right_of(method: str, path: str) -> Right:
    """The row of a matched route."""
    return RIGHTS[f"{method} {path}"]


def require(right: Right, caller: Caller) -> None:
    """Raises `Forbidden` (`scope_missing` if it is only for the key)."""
    if right.scope is not None and caller.scopes is not None and right.scope not in caller.scopes:
        raise Forbidden(f"This needs a key with the scope {right.scope}.", code="scope_missing")
    match right.who:
        case Who.ADMIN if not caller.is_admin:
            raise Forbidden("Only administrators may do this.")
        case Who.TRUSTED if not caller.is_trusted:
            raise Forbidden("Only administrators and auditors may do this.")
        case Who.NAMED if not caller.is_trusted and caller.scopes is None:
            raise Forbidden(f"Only administrators, auditors and keys with the scope {right.scope} may do this.")
        case Who.ITSELF if caller.acting_id is not None:
            raise Forbidden("Nobody does this on behalf of somebody else.")


def require_complete(routes: Iterable[BaseRoute], authenticated: Callable[..., object]) -> None:
    """Raises `LookupError` that names a route without a row, a row without a route, or a route that lets anybody in.

    `authenticated` is the dependency that asks for the right; every route but the public ones must have it.
    """
    served = dict(_served(routes))
    for name, route in served.items():
        if name not in RIGHTS:
            raise LookupError(f"the route {name} has no row in services/api/rights.py")
        asks = isinstance(route, APIRoute) and _depends_on(route.dependant, authenticated)
        if asks is (RIGHTS[name].who is Who.PUBLIC):
            raise LookupError(
                f"the route {name} is {RIGHTS[name].who}, but {'asks' if asks else 'does not ask'} for a key"
            )
    for name in RIGHTS:
        if name not in served:
            raise LookupError(f"services/api/rights.py has a row for {name}, which is no route")


def _served(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, Route | APIRoute]]:
    for route in routes:
        if isinstance(route, APIRoute | Route):
            for method in (route.methods or set()) - {"HEAD"}:
                yield f"{method} {route.path}", route
        else:
            # FastAPI keeps an included router whole; anything else here must be looked at by a person.
            yield from _served(route.original_router.routes)  # type: ignore[attr-defined]


def _depends_on(dependant: Dependant, wanted: Callable[..., object]) -> bool:
    return any(one.call is wanted or _depends_on(one, wanted) for one in dependant.dependencies)
