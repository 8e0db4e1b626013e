"""The adapters that speak HTTP to a model: what they send, and what they make of every answer."""

import socket
from collections.abc import Iterator

import numpy as np
import pytest

from kbcore.domain.document import Classification
from kbcore.embedding.openai_compatible import OpenAICompatibleEmbedder
from kbcore.errors import ConfigurationError, Unavailable
from kbcore.rerank.http import HttpReranker
from tests.contract.test_embedders import openai_compatible
from tests.servers.embedding_server import API_KEY, DIMENSION, EmbeddingServer, Reply, embedding_server

AT_ONCE = {"Retry-After": "0"}


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with embedding_server() as started:
        yield started


def vectors_reply(*rows: list[float]) -> Reply:
    return Reply({"data": [{"index": index, "embedding": row} for index, row in enumerate(rows)]})


def test_prefixes_model_and_batches_are_sent(server: EmbeddingServer) -> None:
    embedder = OpenAICompatibleEmbedder(
        f"{server.base_url}/",
        "e5",
        api_key=API_KEY,
        dimension=0,
        max_tokens=512,
        query_prefix="query: ",
        passage_prefix="passage: ",
        batch_size=2,
    )
    assert embedder.dimension == DIMENSION
    server.requests.clear()
    embedder.embed_passages(["a", "b", ""])
    embedder.embed_query("q")
    assert [asked["input"] for _, asked in server.requests] == [
        ["passage: a", "passage: b"],
        ["passage: "],
        ["query: q"],
    ]
    assert {path for path, _ in server.requests} == {"/v1/embeddings"}
    assert {asked["model"] for _, asked in server.requests} == {"e5"}


def test_the_empty_text_is_not_sent(server: EmbeddingServer) -> None:
    openai_compatible(server.base_url).embed_passages([""])
    assert server.requests[-1][1]["input"] == [" "]


def test_other_prefixes_are_another_name(server: EmbeddingServer) -> None:
    plain = openai_compatible(server.base_url)
    prefixed = openai_compatible(server.base_url, query_prefix="query: ")
    elsewhere = openai_compatible("http://elsewhere/v1")
    assert plain.name != prefixed.name
    assert plain.name == elsewhere.name


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(server: EmbeddingServer, status: int) -> None:
    server.replies.extend([Reply(status=status, headers=AT_ONCE)] * 3)
    vectors = openai_compatible(server.base_url).embed_passages(["a text"])
    assert vectors.shape == (1, DIMENSION)
    assert len(server.requests) == 4


def test_without_retry_after_the_wait_is_ours(server: EmbeddingServer) -> None:
    server.replies.append(Reply(status=503, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}))
    assert openai_compatible(server.base_url).embed_query("a text").shape == (DIMENSION,)


def test_a_lasting_failure_is_said(server: EmbeddingServer) -> None:
    server.replies.extend([Reply(status=503, headers=AT_ONCE)] * 4)
    with pytest.raises(Unavailable, match=r"embedding server does not answer: HTTP 503 \(4 attempts\)"):
        openai_compatible(server.base_url).embed_query("a text")


def test_no_server_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(Unavailable, match="embedding server does not answer: ConnectError"):
            openai_compatible(base_url).embed_query("a text")


@pytest.mark.parametrize("base_url", ["", "127.0.0.1:9/v1", "http://[", "file:///etc/passwd"])
def test_an_address_that_is_none_is_refused_at_once(base_url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"embedding\.base_url"):
        openai_compatible(base_url)
    with pytest.raises(ConfigurationError, match=r"rerank\.base_url"):
        HttpReranker(base_url, "", api_key="", allowed=Classification.RESTRICTED, shape="tei")


def test_a_refusal_is_not_repeated_and_keeps_key_and_text_to_itself(server: EmbeddingServer) -> None:
    server.replies.append(Reply({"error": f"bad key {API_KEY} for a secret text"}, status=401))
    with pytest.raises(Unavailable, match="HTTP 401") as caught:
        openai_compatible(server.base_url).embed_query("a secret text")
    assert len(server.requests) == 1
    assert API_KEY not in str(caught.value)
    assert "secret text" not in str(caught.value)


GOOD = [1.0] * DIMENSION

WRONG_ANSWERS = {
    "not_json": Reply(b"<html>a login page</html>"),
    "a_list": Reply([]),
    "no_data": Reply({"embeddings": []}),
    "too_few": vectors_reply(GOOD),
    "too_many": vectors_reply(GOOD, GOOD, GOOD),
    "one_twice": Reply({"data": [{"index": 0, "embedding": GOOD}] * 2}),
    "from_one": Reply({"data": [{"index": 1, "embedding": GOOD}, {"index": 2, "embedding": GOOD}]}),
    "no_index": Reply({"data": [{"embedding": GOOD}, {"embedding": GOOD}]}),
    "short": vectors_reply(GOOD[1:], GOOD[1:]),
    "ragged": vectors_reply(GOOD, GOOD[1:]),
    "not_a_number": vectors_reply(GOOD, [float("nan"), *GOOD[1:]]),
    "infinite": vectors_reply(GOOD, [float("inf"), *GOOD[1:]]),
    "zeros": vectors_reply(GOOD, [0.0] * DIMENSION),
    "words": Reply({"data": [{"index": 0, "embedding": "AAAA"}, {"index": 1, "embedding": "AAAA"}]}),
    "null": Reply({"data": [{"index": 0, "embedding": None}, {"index": 1, "embedding": None}]}),
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
def test_no_wrong_vector_gets_in(server: EmbeddingServer, name: str) -> None:
    server.replies.append(WRONG_ANSWERS[name])
    with pytest.raises(Unavailable):
        openai_compatible(server.base_url).embed_passages(["one", "two"])


@pytest.mark.parametrize("reply", [vectors_reply([]), Reply({"data": [{"index": 0, "embedding": 7}]})])
def test_a_dimension_that_cannot_be_learned_is_said(server: EmbeddingServer, reply: Reply) -> None:
    server.replies.append(reply)
    with pytest.raises(Unavailable):
        _ = openai_compatible(server.base_url, dimension=0).dimension


def test_vectors_are_scaled_to_unit_length(server: EmbeddingServer) -> None:
    server.replies.append(vectors_reply([3.0, 4.0] + [0.0] * (DIMENSION - 2)))
    assert openai_compatible(server.base_url).embed_query("q")[:2] == pytest.approx(np.array([0.6, 0.8]))


def test_closed_it_connects_again(server: EmbeddingServer) -> None:
    embedder = openai_compatible(server.base_url)
    embedder.embed_query("q")
    embedder.close()
    assert embedder.embed_query("q").shape == (DIMENSION,)
