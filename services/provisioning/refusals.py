"""What SCIM calls an error that the request itself causes; `services.api.errors` gives it SCIM's shape."""

from kbcore.errors import RequestError


def invalid_value(why: str) -> RequestError:
    """A value is missing, of the wrong kind, or does not fit. The value itself is not repeated."""
    return RequestError(why, code="invalid_value")


def invalid_path(why: str) -> RequestError:
    """The `path` of a PATCH operation cannot be read."""
    return RequestError(why, code="invalid_path")


def invalid_filter(why: str) -> RequestError:
    """The `filter` cannot be read, or asks for what cannot be compared here."""
    return RequestError(why, code="invalid_filter")
