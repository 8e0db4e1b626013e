"""The trace id: one for each request and each task, in every log line, error and answer that belongs to it."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("zhiku_trace_id", default="")
_VALID = re.compile(r"[0-9a-f]{32}")


def new_trace_id() -> str:
    """128 random bits as 32 hex digits: a W3C trace id."""
    return secrets.token_hex(16)


def current_trace_id() -> str:
    """The trace id of the work at hand, empty outside of any."""
    return _current.get()


@contextmanager
def trace(trace_id: str | None = None) -> Iterator[str]:
    """Do the block's work under a trace id, a new one when none is given or the given one isn't one; yields it."""
    chosen = trace_id if trace_id and _VALID.fullmatch(trace_id) else new_trace_id()
    token = _current.set(chosen)
    try:
        yield chosen
    finally:
        _current.reset(token)
