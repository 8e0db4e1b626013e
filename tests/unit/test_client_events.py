"""The client's reader of server-sent events, and what it costs to import."""

import json
import subprocess
import sys

import pytest

from services.client import BadAnswer, NotFound, Token, Unavailable, Unreachable
from services.client.wire import EventReader

URL = "http://kb.example.com"


def event(name: str, data: object, *, end: str = "\r\n") -> bytes:
    return f"event: {name}{end}data: {json.dumps(data, ensure_ascii=False)}{end}{end}".encode()


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_events_are_read_however_they_are_cut(size: int, end: str) -> None:
    said = ["年假", "one\u2028line", "tab\tand \x85", "last"]
    stream = b": ping\n\n" + b"".join(event("token", {"text": text}, end=end) for text in said)
    reader = EventReader(URL)
    found = [each for start in range(0, len(stream), size) for each in reader.feed(stream[start : start + size])]
    assert found == [Token(text) for text in said]


def test_an_unknown_event_is_left_out() -> None:
    assert EventReader(URL).feed(event("weather", {"sky": "blue"})) == []


def test_an_error_in_the_stream_is_raised() -> None:
    problem = {"status": 503, "code": "acl_unavailable", "title": "t", "detail": "d", "trace_id": "0" * 32}
    with pytest.raises(Unavailable) as caught:
        EventReader(URL).feed(event("error", problem))
    assert (caught.value.code, caught.value.detail, caught.value.trace_id) == ("acl_unavailable", "d", "0" * 32)
    with pytest.raises(NotFound):
        EventReader(URL).feed(event("error", {**problem, "status": 404}))


@pytest.mark.parametrize("data", [{}, [], None, {"text": "x", "answer": 1}])
@pytest.mark.parametrize("name", ["done", "retrieval", "citation", "error"])
def test_what_is_not_an_answer_is_said(name: str, data: object) -> None:
    with pytest.raises(BadAnswer):
        EventReader(URL).feed(event(name, data))


def test_a_stream_that_ends_too_early_is_said() -> None:
    reader = EventReader(URL)
    reader.feed(event("token", {"text": "half"}))
    with pytest.raises(Unreachable):
        reader.end()


@pytest.mark.parametrize(("names", "brings_langchain"), [("ZhikuClient", False), ("ZhikuRetriever", True)])
def test_importing_the_client_brings_nothing_of_the_service(names: str, brings_langchain: bool) -> None:
    program = f"from services.client import {names}; import sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    ours = {name for name in loaded if name.split(".")[0] in ("services", "kbcore", "ingestion")}
    assert {name for name in ours if not name.startswith("services.client")} == {"services"}
    assert not loaded & {"fastapi", "sqlalchemy", "pymilvus", "celery", "mcp", "numpy", "langchain"}
    assert ("langchain_core" in loaded) is brings_langchain
