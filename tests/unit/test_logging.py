"""Log lines: secrets and document text never get out, in either format."""

import io
import json
import logging
import string
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from kbcore.observability.logging import REDACTED, configure_logging, redact
from kbcore.observability.tracing import current_trace_id, new_trace_id, trace

KEY = "zk_0198f00d_" + "Ab9-_" * 8


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    configure_logging("WARNING")  # as tests/conftest.py did
    root.handlers[:], level = before
    root.setLevel(level)


def logged(**fields: object) -> str:
    stream = io.StringIO()
    with redirect_stderr(stream):
        configure_logging("INFO", json_lines=True)
        structlog.get_logger("test").info("something happened", **fields)
    return stream.getvalue()


def test_a_line_is_json_with_the_trace_id() -> None:
    with trace() as trace_id:
        line = json.loads(logged(document_id="d1", rows=3))
    assert line["event"] == "something happened"
    assert (line["trace_id"], line["document_id"], line["rows"], line["level"]) == (trace_id, "d1", 3, "info")


@pytest.mark.parametrize(
    "fields",
    [
        {"api_key": "plain"},
        {"Authorization": "plain"},
        {"password": "plain"},
        {"db": {"password": "plain"}},
        {"items": [{"secret": "plain"}]},
        {"text": "plain"},
        {"query": "plain"},
        {"note": "Bearer plain"},
        {"url": "postgresql://zhiku:plain@db/zhiku"},
    ],
)
def test_a_secret_is_redacted(fields: dict[str, object]) -> None:
    line = logged(**fields)
    assert "plain" not in line
    assert REDACTED in line


@given(st.text(string.printable), st.text(string.printable))
def test_our_keys_are_redacted_wherever_they_stand(before: str, after: str) -> None:
    for value in (before + KEY + after, {"a": [before + KEY]}, (before + KEY,)):
        assert KEY[:20] not in str(redact(None, "info", {"event": "x", "note": value}))


def test_records_of_other_libraries_are_redacted_too() -> None:
    stream = io.StringIO()
    with redirect_stderr(stream):
        configure_logging("INFO", json_lines=True)
        logging.getLogger("vendor").warning("calling with %s", KEY)
    assert KEY not in stream.getvalue()
    assert "calling with" in stream.getvalue()


def test_a_traceback_keeps_no_key() -> None:
    stream = io.StringIO()
    with redirect_stderr(stream):
        configure_logging("INFO", json_lines=True)
        try:
            raise ValueError(KEY)
        except ValueError:
            structlog.get_logger("test").exception("failed")
    assert "ValueError" in stream.getvalue()
    assert KEY not in stream.getvalue()


def test_a_trace_is_one_piece_of_work() -> None:
    given_id = new_trace_id()
    with trace(given_id) as chosen:
        assert chosen == current_trace_id() == given_id
    assert current_trace_id() == ""
    with trace("x'; drop table") as chosen:
        assert chosen != "x'; drop table"
        assert len(chosen) == 32
