"""Every error that Zhiku raises on purpose: one tree, the code and the HTTP status on the class.

ZhikuError                       500 internal_error
├── RequestError                 400 invalid_request      what the caller sent cannot be used
│   ├── Unauthenticated          401 unauthenticated
│   ├── Forbidden                403 forbidden            visible, but this action is not allowed
│   ├── NotFound                 404 *_not_found          unknown and unreadable look the same
│   ├── Conflict                 409 conflict
│   ├── VersionConflict          412 version_conflict     If-Match names a stale version
│   ├── TooLarge                 413 payload_too_large
│   ├── UnsupportedMediaType     415 unsupported_media_type
│   ├── Unprocessable            422 unprocessable        well-formed, but the values do not fit
│   └── TooManyRequests          429 too_many_requests
├── ItemError                    why one item ended as skipped or failed (a ledger line, not an HTTP error)
│   ├── ItemSkipped
│   └── ItemFailed
├── Unavailable                  503 dependency_unavailable
│   └── AclUnavailable           503 acl_unavailable      permissions cannot be decided: nothing is shown
│       └── AuditUnavailable     503 audit_unavailable    it cannot be recorded: nothing is shown
└── ConfigurationError           start-up refused: names the key and the remedy
"""


class ZhikuError(Exception):
    """Base of all deliberate errors. `detail` is shown to people: no secrets, no document text."""

    status = 500
    code = "internal_error"
    title = "Internal error"

    def __init__(self, detail: str = "", *, code: str | None = None) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        if code is not None:
            self.code = code


class RequestError(ZhikuError):
    """The request cannot be carried out as sent."""

    status = 400
    code = "invalid_request"
    title = "Invalid request"


class Unauthenticated(RequestError):
    """No credential, or one that is unknown, expired or revoked; which of these is not said."""

    status = 401
    code = "unauthenticated"
    title = "Authentication required"


class Forbidden(RequestError):
    """The caller may see the thing but may not do this to it."""

    status = 403
    code = "forbidden"
    title = "Not allowed"


class NotFound(RequestError):
    """Unknown, or not visible to this caller: deliberately the same answer.

    `kind` makes the code: `NotFound("document")` has code `document_not_found`. The answer never repeats the id.
    """

    status = 404
    title = "Not found"

    def __init__(self, kind: str) -> None:
        super().__init__(f"No such {kind.replace('_', ' ')}.", code=f"{kind}_not_found")


class Conflict(RequestError):
    """The thing exists already, or is in a state that does not allow the action."""

    status = 409
    code = "conflict"
    title = "Conflict"


class VersionConflict(RequestError):
    """`If-Match` names a version that is no longer the latest one."""

    status = 412
    code = "version_conflict"
    title = "Version conflict"


class TooLarge(RequestError):
    """The body exceeds a configured limit (bytes)."""

    status = 413
    code = "payload_too_large"
    title = "Payload too large"


class UnsupportedMediaType(RequestError):
    """A file of a type that no loader reads."""

    status = 415
    code = "unsupported_media_type"
    title = "Unsupported media type"


class Unprocessable(RequestError):
    """Well-formed, but the values do not fit together."""

    status = 422
    code = "unprocessable"
    title = "Unprocessable"


class TooManyRequests(RequestError):
    """A rate limit or quota is used up; `retry_after` is in seconds."""

    status = 429
    code = "too_many_requests"
    title = "Too many requests"

    def __init__(self, detail: str, *, retry_after: int, code: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class ItemError(ZhikuError):
    """Why one received item was not indexed.

    `code` is a stable word (`empty_file`, `encrypted`, `broken_file`, …), `detail` says what is wrong and what to do,
    `page` (1-based) says where, when that is known.
    """

    code = "item_error"
    title = "The item was not indexed"

    def __init__(self, code: str, detail: str, *, page: int | None = None) -> None:
        super().__init__(detail, code=code)
        self.page = page

    def __reduce__(self) -> tuple[object, ...]:
        """Cross a process boundary whole (the parsing process raises these)."""
        return (_rebuild_item_error, (type(self), self.code, self.detail, self.page))


class ItemSkipped(ItemError):
    """Left out by rule, nothing went wrong (an empty file, a type that is not read, a superseded version)."""


class ItemFailed(ItemError):
    """Should have been indexed and could not be (broken, encrypted, too slow, too big in memory)."""


class Unavailable(ZhikuError):
    """A dependency (SQL, Milvus, Redis, a model server) does not answer."""

    status = 503
    code = "dependency_unavailable"
    title = "Temporarily unavailable"


class AclUnavailable(Unavailable):
    """Permissions cannot be evaluated, so nothing is shown."""

    code = "acl_unavailable"
    title = "Permissions cannot be evaluated"


class AuditUnavailable(AclUnavailable):
    """What happens cannot be recorded, so nothing is shown and nothing is done."""

    code = "audit_unavailable"
    title = "The audit log cannot be written"


class ConfigurationError(ZhikuError):
    """Start-up refused; the detail names the setting and the remedy."""

    code = "configuration_error"
    title = "Configuration error"


def _rebuild_item_error(kind: type[ItemError], code: str, detail: str, page: int | None) -> ItemError:
    return kind(code, detail, page=page)
