"""Logs: structlog to standard error, for people or as JSON lines. Never a secret, never the text of a document.

Loggers are `structlog.get_logger(__name__)`; what they say is an event of a few fixed words plus key-value pairs.
Records of other libraries (uvicorn, celery, sqlalchemy) pass through the same processors.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from kbcore.observability.tracing import current_trace_id

REDACTED = "[redacted]"

_CHATTY = (
    *("alembic", "pdfminer", "jieba", "pymilvus", "mcp", "urllib3", "httpx", "httpcore", "httpx2", "httpcore2"),
    *("openai", "anthropic", "google_genai", "langchain", "langchain_core", "langsmith"),  # prompts, at DEBUG
)

_SECRET_KEYS = frozenset({"authorization", "cookie", "credential", "credentials", "passwd", "dsn"})
_SECRET_ENDINGS = ("api_key", "apikey", "password", "secret", "secret_key", "access_key", "token", "private_key")
_TEXT_KEYS = frozenset(
    {"text", "passage", "passages", "chunk", "chunks", "content", "quote", "question", "query", "answer"}
)
_SECRET_VALUES = re.compile(
    r"zk_[A-Za-z0-9_-]{8,}"  # our API keys
    r"|(?<=[Bb]earer )\S+"
    r"|\bey[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # JSON web tokens
    r"|\bsk-[A-Za-z0-9_-]{16,}"  # model vendors' keys
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user:password in a URL
)


def configure_logging(level: str = "INFO", *, json_lines: bool = False) -> None:
    """Set up this process's logging; once, at its start. `level` is a name of `logging`."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace_id,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json_lines
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in ("uvicorn", "uvicorn.error", "celery"):  # they bring handlers of their own
        other = logging.getLogger(name)
        other.handlers.clear()
        other.propagate = True


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace secrets and document text, by the name of the key and by the look of the value, at any depth."""
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: Any) -> Any:
    name = key.lower().replace("-", "_")
    if name in _SECRET_KEYS or name in _TEXT_KEYS or name.endswith(_SECRET_ENDINGS):
        return REDACTED
    if isinstance(value, str):
        return _SECRET_VALUES.sub(REDACTED, value)
    if isinstance(value, Mapping):
        return {inner: _clean(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", item) for item in value]
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    return value


def _add_trace_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if trace_id := current_trace_id():
        event.setdefault("trace_id", trace_id)
    return event
