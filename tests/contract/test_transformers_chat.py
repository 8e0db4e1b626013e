"""A model in this process, made here: tiny, random, real. What it says is noise; how it says it is what is tested."""

import importlib.util
from pathlib import Path

import pytest

from kbcore.domain.document import Classification
from kbcore.errors import Unavailable
from kbcore.llm.interface import AnswerRequest, Source
from kbcore.llm.transformers_chat import TransformersModel
from kbcore.settings import CONFIG_FOLDER

pytestmark = [
    pytest.mark.local,
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the `local` extra (make test-local)"),
]
REQUEST = AnswerRequest("年假可以结转吗？", "zh", [Source(1, "手册", "年假可以结转。", (), 0.9, "zh")], max_tokens=12)
TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a few thousand weights with a tokenizer of bytes."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    folder = tmp_path_factory.mktemp("model")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>")
    wrapped.chat_template = TEMPLATE
    wrapped.save_pretrained(folder)
    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=len(wrapped), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=4096, eos_token_id=wrapped.eos_token_id,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


def model(folder: Path) -> TransformersModel:
    return TransformersModel(
        "tiny",
        model=str(folder),
        device="cpu",
        allowed=Classification.RESTRICTED,
        context_tokens=4096,
        timeout_s=60,
        prompts=CONFIG_FOLDER / "prompts",
        prompt="answer_small",
    )


def test_it_streams_within_its_limit_and_counts(folder: Path) -> None:
    parts = list(model(folder).answer(REQUEST))
    assert "".join(part.text for part in parts)
    last = parts[-1]
    assert last.usage is not None
    assert 0 < last.usage.completion_tokens <= 12
    assert last.usage.prompt_tokens > 500  # bytes of rules, examples, sources, question
    assert last.finish_reason == ("length" if last.usage.completion_tokens == 12 else "stop")


def test_greedy_answers_are_the_same_twice(folder: Path) -> None:
    once = model(folder)
    assert [part.text for part in once.answer(REQUEST)] == [part.text for part in once.answer(REQUEST)]


def test_closing_stops_it_and_the_next_question_is_answered(folder: Path) -> None:
    from dataclasses import replace

    chat = model(folder)
    parts = chat.answer(replace(REQUEST, max_tokens=1024))
    next(parts)
    parts.close()
    assert list(chat.answer(REQUEST))[-1].usage is not None


def test_a_stop_word_ends_it(folder: Path) -> None:
    from dataclasses import replace

    chat = model(folder)
    said = "".join(part.text for part in chat.answer(REQUEST))
    word = next(letter for letter in said if letter.isascii() and letter.isprintable())
    cut = list(chat.answer(replace(REQUEST, stop=(word,))))
    assert cut[-1].finish_reason == "stop"
    assert len("".join(part.text for part in cut)) <= said.index(word) + 1


def test_a_folder_without_a_model_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be loaded") as refused:
        list(model(tmp_path).answer(REQUEST))
    assert str(tmp_path) not in refused.value.detail
    with pytest.raises(Unavailable) as away:
        model(tmp_path).ping()
    assert str(tmp_path) not in away.value.detail
