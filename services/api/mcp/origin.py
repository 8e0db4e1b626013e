"""Protection from DNS rebinding: a web page must not reach this server through the browser of somebody who may.

The protocol asks servers to check `Origin`. Browsers send it with every POST, other clients hardly ever: an origin that
is not listed is refused. A server that listens on this machine only is asked for by one of its names.
"""

from fastapi import Request

from kbcore.egress.addresses import LOOPBACK
from kbcore.errors import Forbidden
from kbcore.settings import Settings


def require_allowed_origin(settings: Settings, request: Request) -> None:
    """Raises `Forbidden` (`origin_not_allowed`, `host_not_allowed`)."""
    origin = request.headers.get("origin")
    if origin is not None and origin not in settings.mcp.allowed_origins:
        raise Forbidden(
            "Requests from this web origin are not allowed (mcp.allowed_origins).", code="origin_not_allowed"
        )
    allowed = frozenset(name.lower() for name in settings.mcp.allowed_hosts)
    if settings.server.host in LOOPBACK:
        allowed |= LOOPBACK
    if allowed and _name_of(request.headers.get("host", "")) not in allowed:
        raise Forbidden("This server does not go by that name (mcp.allowed_hosts).", code="host_not_allowed")


def _name_of(host: str) -> str:
    """`Host` without its port."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return name.strip("[]").lower()
