"""A search with a reranker, and one whose reranker fails: the fused order, and it says so."""

from collections.abc import Iterator
from typing import Any

import pytest

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.observability import metrics
from kbcore.rerank.http import HttpReranker
from tests.integration.asking import Desk
from tests.servers.embedding_server import Reply
from tests.servers.rerank_server import API_KEY, RerankServer, rerank_server

QUESTION = "Book economy class"


@pytest.fixture
def server(platform: Platform) -> Iterator[RerankServer]:
    with rerank_server() as started:
        adapter = HttpReranker(
            started.url, "words", api_key=API_KEY, allowed=Classification.RESTRICTED, shape="jina", timeout_s=2.0
        )
        platform.__dict__["reranker"] = adapter
        yield started
        adapter.close()


def search(desk: Desk, **more: Any) -> list[dict[str, Any]]:
    with desk.client() as client:
        answer = client.post("/v1/search", json={"query": QUESTION, **more}).raise_for_status()
    return list(answer.json()["results"])


def counted(outcome: str) -> float:
    return metrics.registry.get_sample_value("zhiku_reranks_total", {"outcome": outcome}) or 0.0


def test_the_reranker_orders_the_results(server: RerankServer, desk: Desk) -> None:
    before = counted("done")
    results = search(desk)
    assert results[0]["scores"]["rerank"] == results[0]["score"] == 1.0
    assert [each["score"] for each in results] == sorted((each["score"] for each in results), reverse=True)
    assert counted("done") == before + 1
    sent = server.requests[0][1]["documents"]
    assert not any("18,000" in text for text in sent)  # what this asker may not read does not leave the house


BROKEN = {
    "down": [Reply(status=503, headers={"Retry-After": "0"})] * 4,
    "refusing": [Reply(status=401)],
    "duplicates": [Reply({"results": [{"index": 0, "relevance_score": 0.5}] * 2})],
    "not_json": [Reply(b"<html>")],
}


@pytest.mark.parametrize("name", BROKEN)
def test_without_its_reranker_a_search_answers_in_the_fused_order(
    server: RerankServer, desk: Desk, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    fused = search(desk, rerank=False)
    before = counted("skipped")
    server.replies.extend(BROKEN[name])
    results = search(desk)
    assert results == fused
    assert {each["scores"]["rerank"] for each in results} == {None}
    assert counted("skipped") == before + 1
    (line,) = [record.getMessage() for record in caplog.records if "reranker_unavailable" in record.getMessage()]
    assert QUESTION not in line
    assert API_KEY not in line


def test_an_answer_does_without_it_too(server: RerankServer, desk: Desk) -> None:
    server.replies.append(Reply(status=401))
    with desk.client() as client:
        answer = client.post("/v1/ask", json={"question": "Which class should I book?"}).raise_for_status().json()
    assert not answer["abstained"]
    assert len(server.requests) == 1
