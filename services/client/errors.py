"""What can go wrong, as exceptions.

ZhikuClientError
├── Unreachable         nothing answers at the address, or the connection broke in the middle of an answer
├── BadAnswer           what answers is not Zhiku, or a version of it that this client does not know
├── InvalidRequest      4xx: the request does not fit; `code` and `detail` say why
│   ├── NotAuthenticated    401: the key is missing, unknown, expired or revoked
│   ├── NotAllowed          403: the key may not do this
│   ├── NotFound            404: unknown, or nothing that the key's owner may see
│   └── TooManyRequests     429: wait for `retry_after` seconds
└── Unavailable         5xx: the server, or something that it needs, is down; `retry_after` seconds
"""

from collections.abc import Mapping


class ZhikuClientError(Exception):
    """Base of all. `code` is the server's stable word (docs/errors.md), `trace_id` finds the request in its logs."""

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        code: str = "",
        trace_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.code = code
        self.trace_id = trace_id
        self.retry_after = retry_after


class Unreachable(ZhikuClientError):
    """Nothing answers, or not to the end."""


class BadAnswer(ZhikuClientError):
    """An answer that is not Zhiku's."""


class InvalidRequest(ZhikuClientError):
    """The request does not fit."""


class NotAuthenticated(InvalidRequest):
    """The key is not valid."""


class NotAllowed(InvalidRequest):
    """The key may not do this."""


class NotFound(InvalidRequest):
    """Unknown, or nothing that the key's owner may see: the server does not say which."""


class TooManyRequests(InvalidRequest):
    """Wait."""


class Unavailable(ZhikuClientError):
    """The server, or something that it needs, is down. With code `acl_unavailable`: nothing may be shown for now."""


_OF_STATUS: Mapping[int, type[ZhikuClientError]] = {
    401: NotAuthenticated,
    403: NotAllowed,
    404: NotFound,
    429: TooManyRequests,
}


def of_problem(status: int, problem: Mapping[str, object], retry_after: float | None = None) -> ZhikuClientError:
    """The exception for a problem document (RFC 9457)."""
    kind = _OF_STATUS.get(status, Unavailable if status >= 500 else InvalidRequest)
    code, trace_id = problem.get("code"), problem.get("trace_id")
    return kind(
        str(problem.get("detail") or f"HTTP {status}"),
        status=status,
        code=str(code or ""),
        trace_id=None if trace_id is None else str(trace_id),
        retry_after=retry_after,
    )
