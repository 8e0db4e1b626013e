"""Every reranker keeps the promises of `kbcore.rerank.interface.Reranker`."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from kbcore.domain.document import Classification
from kbcore.errors import ConfigurationError
from kbcore.rerank.cross_encoder import CrossEncoderReranker
from kbcore.rerank.http import HttpReranker
from kbcore.rerank.interface import Reranker
from tests.servers.rerank_server import API_KEY, rerank_server

QUESTION = "how many days of annual leave"
PASSAGES = ["travel expenses", "annual leave is fifteen days", "annual leave", "年假为十五天"]

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs the `local` extra (make test-local)"
)


def tiny_cross_encoder(folder: Path, *, labels: int = 1) -> str:
    """A BERT of 2 layers with random weights, saved as people save theirs."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    torch.manual_seed(0)
    words = sorted({word for text in [QUESTION, *PASSAGES] for word in text.split()} | set("年假为十五天"))
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]), encoding="utf-8")
    config = BertConfig(
        vocab_size=5 + len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        num_labels=labels,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizerFast(vocab=str(vocabulary)).save_pretrained(folder)
    return str(folder)


@pytest.fixture(
    params=[
        "cohere",
        "jina",
        "tei",
        "tei-raw",
        "jina-raw",
        pytest.param("cross_encoder", marks=[pytest.mark.local, needs_torch]),
    ],
    scope="module",
)
def reranker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reranker]:
    if request.param == "cross_encoder":
        yield CrossEncoderReranker(tiny_cross_encoder(tmp_path_factory.mktemp("cross-encoder")), device="cpu")
        return
    shape, _, raw = request.param.partition("-")
    with rerank_server(logits=bool(raw)) as server:
        adapter = HttpReranker(
            server.url, "words", api_key=API_KEY, allowed=Classification.RESTRICTED, shape=shape, raw_scores=bool(raw)
        )
        yield adapter
        adapter.close()


def test_one_score_for_each_passage_in_order(reranker: Reranker) -> None:
    scores = reranker.score(QUESTION, PASSAGES)
    assert len(scores) == len(PASSAGES)
    assert len(set(scores)) > 1
    assert reranker.score(QUESTION, PASSAGES[::-1])[::-1] == pytest.approx(scores, abs=1e-4)


def test_a_score_does_not_depend_on_the_other_passages(reranker: Reranker) -> None:
    scores = reranker.score(QUESTION, PASSAGES)
    assert [reranker.score(QUESTION, [passage])[0] for passage in PASSAGES] == pytest.approx(scores, abs=1e-4)


def test_no_passages_no_scores(reranker: Reranker) -> None:
    assert reranker.score(QUESTION, []) == []


def test_strange_texts_have_scores_too(reranker: Reranker) -> None:
    assert len(reranker.score("half \ud83d of a pair", ["", "cut\x00here", "half \ud83d"])) == 3


def test_it_has_a_name(reranker: Reranker) -> None:
    assert reranker.name


@pytest.mark.local
@needs_torch
def test_a_model_with_several_labels_is_refused(tmp_path: Path) -> None:
    model = tiny_cross_encoder(tmp_path, labels=3)
    with pytest.raises(ConfigurationError, match="3 numbers"):
        CrossEncoderReranker(model, device="cpu").score(QUESTION, PASSAGES)


@pytest.mark.local
@needs_torch
def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"rerank\.model"):
        CrossEncoderReranker(str(tmp_path), device="cpu").score(QUESTION, PASSAGES)
