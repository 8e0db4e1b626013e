"""The rerankers over HTTP: what they send to each kind of server, and what they make of every answer."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from kbcore.domain.document import Classification
from kbcore.errors import ConfigurationError, Unavailable
from kbcore.rerank.http import HttpReranker, Shape
from tests.servers.embedding_server import Reply
from tests.servers.rerank_server import API_KEY, RerankServer, rerank_server

QUESTION = "how many days of annual leave"
PASSAGES = ["travel expenses", "how many days of annual leave there are", "annual leave", "年假为十五天"]
SHAPES: tuple[Shape, ...] = ("cohere", "jina", "tei")


@pytest.fixture
def server() -> Iterator[RerankServer]:
    with rerank_server() as started:
        yield started


def reranker(server: RerankServer, shape: Shape = "jina", **more: Any) -> HttpReranker:
    return HttpReranker(server.url, "words", api_key=API_KEY, allowed=Classification.RESTRICTED, shape=shape, **more)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_best_passage_wins_and_scores_lie_between_0_and_1(server: RerankServer, shape: Shape) -> None:
    scores = reranker(server, shape).score(QUESTION, PASSAGES)
    assert scores == [0.0, 1.0, pytest.approx(1 / 3), 0.0]


@pytest.mark.parametrize(
    ("shape", "path", "sent"),
    [
        ("cohere", "/v2/rerank", {"model": "words", "query": "q", "documents": ["a", "b"], "top_n": 2}),
        (
            "jina",
            "/v1/rerank",
            {"model": "words", "query": "q", "documents": ["a", "b"], "top_n": 2, "return_documents": False},
        ),
        (
            "tei",
            "/rerank",
            {"query": "q", "texts": ["a", "b"], "raw_scores": False, "return_text": False, "truncate": True},
        ),
    ],
)
def test_each_server_is_asked_in_its_own_way(
    server: RerankServer, shape: Shape, path: str, sent: dict[str, Any]
) -> None:
    reranker(server, shape).score("q", ["a", "b"])
    assert server.requests == [(path, sent)]


def test_an_address_with_a_version_keeps_it(server: RerankServer) -> None:
    HttpReranker(
        f"{server.url}/v1/", "words", api_key=API_KEY, allowed=Classification.RESTRICTED, shape="cohere", batch=1
    )
    for base_url, path in ((f"{server.url}/v1", "/v1/rerank"), (f"{server.url}/", "/v2/rerank")):
        server.replies.append(Reply({"results": [{"index": 0, "relevance_score": 0.5}]}))
        HttpReranker(base_url, "words", api_key=API_KEY, allowed=Classification.RESTRICTED, shape="cohere").score(
            "q", ["a"]
        )
        assert server.requests[-1][0] == path


@pytest.mark.parametrize(
    ("shape", "batch", "sizes"), [("tei", 0, [32, 32, 6]), ("jina", 0, [70]), ("jina", 50, [50, 20])]
)
def test_many_passages_are_asked_in_batches(server: RerankServer, shape: Shape, batch: int, sizes: list[int]) -> None:
    scores = reranker(server, shape, batch=batch).score("q", ["q" if n == 40 else "x" for n in range(70)])
    assert [len(asked.get("texts") or asked["documents"]) for _, asked in server.requests] == sizes
    assert scores.index(max(scores)) == 40


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_are_put_on_the_same_scale(shape: Shape) -> None:
    with rerank_server(logits=True) as server:
        scores = reranker(server, shape, raw_scores=True).score(QUESTION, PASSAGES)
    assert scores == [pytest.approx(share, abs=1e-3) for share in (0.0, 1.0, 1 / 3, 0.0)]


def test_a_huge_logit_is_no_overflow(server: RerankServer) -> None:
    results = [{"index": 0, "relevance_score": -1e6}, {"index": 1, "relevance_score": 1e6}]
    server.replies.append(Reply({"results": results}))
    assert reranker(server, raw_scores=True).score("q", ["a", "b"]) == [0.0, 1.0]


@pytest.mark.parametrize("shape", ["cohere", "jina"])
def test_logits_that_were_not_expected_are_refused(shape: Shape) -> None:
    with rerank_server(logits=True) as server, pytest.raises(Unavailable, match=r"rerank\.raw_scores"):
        reranker(server, shape).score(QUESTION, PASSAGES)


def test_rounding_is_no_fault(server: RerankServer) -> None:
    results = [{"index": 1, "relevance_score": 1.0000001}, {"index": 0, "relevance_score": -1e-9}]
    server.replies.append(Reply({"results": results}))
    assert reranker(server).score("q", ["a", "b"]) == [0.0, 1.0]


def results(*pairs: tuple[Any, Any]) -> Reply:
    return Reply({"results": [{"index": index, "relevance_score": score} for index, score in pairs]})


WRONG = {
    "no_results": Reply({"data": []}),
    "a_list": Reply([{"index": 0, "score": 0.5}, {"index": 1, "score": 0.5}]),
    "missing": results((0, 0.5)),
    "none": results(),
    "twice": results((0, 0.5), (0, 0.6)),
    "twice_and_all": results((0, 0.5), (1, 0.6), (1, 0.7)),
    "out_of_range": results((0, 0.5), (2, 0.5)),
    "negative_index": results((0, 0.5), (-1, 0.5)),
    "one_too_many": results((0, 0.5), (1, 0.5), (2, 0.5)),
    "index_is_text": results(("0", 0.5), ("1", 0.5)),
    "index_is_a_fraction": results((0.0, 0.5), (1.0, 0.5)),
    "index_is_a_truth": results((False, 0.5), (True, 0.5)),
    "no_score": Reply({"results": [{"index": 0}, {"index": 1}]}),
    "score_is_text": results((0, "0.5"), (1, "0.5")),
    "not_a_number": results((0, float("nan")), (1, 0.5)),
    "infinite": results((0, float("inf")), (1, 0.5)),
    "text": Reply("no"),
    "null": Reply(None),
    "items_are_text": Reply({"results": ["0", "1"]}),
    "not_json": Reply(b"<html>a login page</html>"),
}


@pytest.mark.parametrize("name", WRONG)
def test_no_wrong_score_gets_in(server: RerankServer, name: str) -> None:
    server.replies.append(WRONG[name])
    with pytest.raises(Unavailable):
        reranker(server).score("q", ["one", "two"])
    assert len(server.requests) == 1


def test_tei_is_read_as_tei_only(server: RerankServer) -> None:
    server.replies.append(results((0, 0.5)))
    with pytest.raises(Unavailable, match=r"check rerank\.shape"):
        reranker(server, "tei").score("q", ["one"])


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(server: RerankServer, status: int) -> None:
    server.replies.extend([Reply(status=status, headers={"Retry-After": "0"})] * 3)
    assert reranker(server).score("q", ["q"]) == [1.0]
    assert len(server.requests) == 4


def test_a_wait_that_a_search_cannot_afford_is_not_waited_for(server: RerankServer) -> None:
    server.replies.append(Reply(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(Unavailable, match=r"rerank server does not answer: HTTP 429 \(1 attempt\)"):
        reranker(server, timeout_s=2.0).score("q", ["q"])
    assert len(server.requests) == 1


def test_a_server_that_hangs_is_given_up(server: RerankServer) -> None:
    server.hangs.set()
    with pytest.raises(Unavailable, match="ReadTimeout"):
        reranker(server, timeout_s=0.2).score("q", ["q"])


def test_no_server_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(Unavailable, match="rerank server does not answer: ConnectError"):
            HttpReranker(url, "m", api_key="", allowed=Classification.RESTRICTED, shape="jina").score("q", ["q"])


def test_a_refusal_is_not_repeated_and_keeps_key_and_text_to_itself(server: RerankServer) -> None:
    server.replies.append(Reply({"message": f"bad key {API_KEY} for a secret text"}, status=401))
    with pytest.raises(Unavailable, match="HTTP 401") as caught:
        reranker(server).score("q", ["a secret text"])
    assert len(server.requests) == 1
    assert API_KEY not in str(caught.value)
    assert "secret text" not in str(caught.value)


@pytest.mark.parametrize("shape", ["cohere", "jina"])
def test_a_model_must_be_named_where_servers_have_several(shape: Shape) -> None:
    with pytest.raises(ConfigurationError, match=r"rerank\.model"):
        HttpReranker("http://127.0.0.1:1", "", api_key="", allowed=Classification.RESTRICTED, shape=shape)
