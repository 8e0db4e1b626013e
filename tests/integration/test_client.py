"""The client for other programs, against a served library: in plain Python, and as a retriever in a LangChain chain."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_openai import ChatOpenAI

from services.client import (
    AsyncZhikuClient,
    BadAnswer,
    Cited,
    Done,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    Retrieval,
    Token,
    TooManyRequests,
    Unavailable,
    Unreachable,
    ZhikuClient,
    ZhikuRetriever,
)
from tests.integration.asking import Desk
from tests.servers.embedding_server import EmbeddingServer, Reply, embedding_server

LEAVE = "年假可以结转吗？"
PAY = "P5 级工程师的月薪范围是多少"


def client(desk: Desk, person: str = "employee") -> ZhikuClient:
    return ZhikuClient(desk.url, desk.keys[person])


def retriever(desk: Desk, person: str = "employee", **more: Any) -> ZhikuRetriever:
    return ZhikuRetriever(url=desk.url, key=desk.keys[person], **more)


def test_search_and_ask_give_what_their_owner_may_read(desk: Desk) -> None:
    with client(desk) as employee, client(desk, "hr") as hr:
        found = employee.search(LEAVE, top_k=1)
        assert [passage.document_id for passage in found.passages] == [desk.documents["handbook"]]
        passage = found.passages[0]
        assert "结转" in passage.text
        assert passage.source.url == f"{desk.url}/v1/documents/{passage.document_id}/versions/1/content"
        assert passage.scores["rerank"] is None
        assert employee.search(LEAVE, top_k=1, as_of=f"epoch:{found.epoch}").passages == found.passages
        answer = employee.ask(LEAVE)
        assert answer.citations[0].marker in answer.text
        assert answer.citations[0].document_id == desk.documents["handbook"]
        assert (
            employee.ask("到什么时候？", conversation_id=answer.conversation_id).conversation_id
            == answer.conversation_id
        )
        assert "18,000" in hr.ask(PAY).text
        assert "18,000" not in employee.ask(PAY).text
        assert desk.documents["salary"] not in {each.document_id for each in employee.search(PAY).passages}


def test_an_answer_is_read_as_it_is_written(desk: Desk) -> None:
    with client(desk) as employee:
        first, *middle, last = employee.ask_stream(LEAVE)
    assert isinstance(first, Retrieval)
    assert desk.documents["handbook"] in first.document_ids
    assert isinstance(last, Done)
    assert "".join(event.text for event in middle if isinstance(event, Token)).strip() == last.answer.text.strip()
    assert [event.citation for event in middle if isinstance(event, Cited)] == list(last.answer.citations)


def test_without_blocking(desk: Desk) -> None:
    async def run() -> None:
        async with AsyncZhikuClient(desk.url, desk.keys["employee"]) as employee:
            assert (await employee.search(LEAVE)).passages[0].document_id == desk.documents["handbook"]
            whole = await employee.ask(LEAVE)
            events = [event async for event in employee.ask_stream(LEAVE)]
            assert isinstance(events[-1], Done)
            assert events[-1].answer.text == whole.text
            with pytest.raises(NotFound):
                await employee.search(LEAVE, spaces=["hr"])
            with pytest.raises(InvalidRequest):
                _ = [event async for event in employee.ask_stream("")]

    anyio.run(run)


def test_refusals_are_exceptions(desk: Desk) -> None:
    with client(desk) as employee:
        with pytest.raises(NotFound) as hidden:
            employee.search("x", spaces=["hr"])
        with pytest.raises(NotFound) as unknown:
            employee.search("x", spaces=["no-such-space"])
        assert (hidden.value.code, hidden.value.detail) == (unknown.value.code, unknown.value.detail)
        with pytest.raises(InvalidRequest) as invalid:
            list(employee.ask_stream("x", as_of="yesterday"))
        assert (invalid.value.status, invalid.value.code) == (422, "invalid_as_of")
        assert len(invalid.value.trace_id or "") == 32
    with pytest.raises(NotAuthenticated) as wrong, ZhikuClient(desk.url, "zk_wrong_key") as stranger:
        stranger.search("x")
    assert "zk_wrong_key" not in str(wrong.value)


def test_documents_of_the_retriever_say_where_they_stand(desk: Desk) -> None:
    (document,) = retriever(desk, top_k=1, spaces=["public"], filters={"language": "zh"}).invoke(LEAVE)
    assert document.id == document.metadata["chunk_id"]
    assert document.metadata["document_id"] == desk.documents["handbook"]
    assert {"version", "title", "space", "score", "source", "page", "heading", "start", "end"} <= set(document.metadata)
    assert document.metadata["source"].startswith(f"{desk.url}/v1/documents/")
    json.dumps(document.metadata)
    assert anyio.run(retriever(desk, top_k=1).ainvoke, LEAVE)[0].metadata["chunk_id"] == document.id
    assert retriever(desk, filters={"tags": ["no-such-tag"]}).invoke(LEAVE) == []
    assert retriever(desk, as_of="2001-01-01T00:00:00Z").invoke(LEAVE) == []


def test_the_retriever_keeps_its_key_to_itself(desk: Desk) -> None:
    mine = retriever(desk)
    assert desk.keys["employee"] not in repr(mine)
    assert desk.keys["employee"] not in str(mine.model_dump())


def test_a_retriever_fails_rather_than_return_less(desk: Desk) -> None:
    with pytest.raises(NotFound):
        retriever(desk, spaces=["public", "hr"]).invoke(LEAVE)


def test_in_a_chain(desk: Desk) -> None:
    desk.chat.answer = "可以结转至次年三月三十一日。"
    prompt = ChatPromptTemplate.from_template("Answer from this only:\n{context}\n\nQuestion: {question}")
    model = ChatOpenAI(model="say", base_url=desk.chat.base_url, api_key="sk-test", streaming=True, max_retries=0)

    def chain(person: str) -> Any:
        context = retriever(desk, person, top_k=3) | _joined
        return {"context": context, "question": RunnablePassthrough()} | prompt | model | StrOutputParser()

    assert chain("employee").invoke(LEAVE) == desk.chat.answer
    assert "年假可以结转" in desk.chat.requests[-1]["messages"][-1]["content"]
    chain("employee").invoke(PAY)
    assert "18,000" not in str(desk.chat.requests[-1])
    chain("hr").invoke(PAY)
    assert "18,000" in str(desk.chat.requests[-1])
    model.root_client.close()


def _joined(documents: list[Document]) -> str:
    return "\n\n".join(document.page_content for document in documents)


@pytest.fixture
def elsewhere() -> Iterator[EmbeddingServer]:
    """A server that answers whatever a test wants it to."""
    with embedding_server() as server:
        yield server


PROBLEM = {"code": "throttled", "detail": "Wait.", "title": "t", "status": 429, "trace_id": "0" * 32}

STRANGE = {
    "a_page": (Reply(b"<html>"), BadAnswer),
    "an_error_page": (Reply(b"<html>", status=502), BadAnswer),
    "another_api": (Reply({"error": "no"}, status=404), BadAnswer),
    "a_redirect": (Reply(b"", status=302, headers={"Location": "http://127.0.0.1:1/"}), BadAnswer),
    "other_json": (Reply({"results": [{"id": 1}]}), BadAnswer),
    "a_list": (Reply([]), BadAnswer),
    "too_often": (Reply(PROBLEM, status=429, headers={"Retry-After": "7"}), TooManyRequests),
    "down": (Reply({**PROBLEM, "code": "acl_unavailable"}, status=503, headers={"Retry-After": "2"}), Unavailable),
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_answers_are_said(elsewhere: EmbeddingServer, name: str) -> None:
    reply, expected = STRANGE[name]
    elsewhere.replies.extend([reply, reply])
    with ZhikuClient(elsewhere.base_url.removesuffix("/v1"), "zk_secret") as zhiku:
        with pytest.raises(expected) as caught:
            zhiku.search("x")
        with pytest.raises((expected, Unreachable)):
            list(zhiku.ask_stream("x"))
    assert "zk_secret" not in str(caught.value)
    if expected in (TooManyRequests, Unavailable):
        assert caught.value.retry_after == float(reply.headers["Retry-After"])


def test_a_stream_that_breaks_off_is_no_answer(elsewhere: EmbeddingServer) -> None:
    elsewhere.replies.append(Reply(b'event: token\ndata: {"text": "half"}\n\n'))
    with ZhikuClient(elsewhere.base_url.removesuffix("/v1"), "zk_secret") as zhiku:
        events = zhiku.ask_stream("x")
        assert next(events) == Token("half")
        with pytest.raises(Unreachable):
            next(events)


def test_no_server_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with ZhikuClient(url, "zk_secret") as zhiku, pytest.raises(Unreachable, match=f"{url} .ConnectError."):
            zhiku.search("x")
