"""`/readyz` says how each answering model is; a model that is away makes nothing unready."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kbcore.domain.document import Classification
from kbcore.errors import Unavailable
from kbcore.llm.breaker import Breaker
from kbcore.llm.interface import AnswerRequest
from kbcore.llm.langchain_chat import LangChainModel
from kbcore.llm.providers import ChatService
from kbcore.settings import CONFIG_FOLDER
from services.api.model_health import ModelHealth, ModelState
from services.api.routes.health import Readiness
from tests.integration.asking import Desk
from tests.servers.chat_server import chat_server

KEY = "sk-of-the-model"


def model(base_url: str, behaves: str = "say") -> LangChainModel:
    return LangChainModel(
        behaves,
        ChatService("openai", behaves, base_url, KEY, api_version="", timeout_s=5),
        allowed=Classification.RESTRICTED,
        context_tokens=4096,
        prompts=CONFIG_FOLDER / "prompts",
        breaker=Breaker(failures=1, rest_s=600),
    )


@pytest.fixture
def health() -> Iterator[ModelHealth]:
    looking = ModelHealth()
    yield looking
    looking.close()


@pytest.fixture
def hanging() -> Iterator[str]:
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def test_a_model_is_there_or_its_server_is_not(health: ModelHealth, hanging: str) -> None:
    with chat_server() as chat:
        models = {
            "there": model(chat.base_url),
            "away": model("http://127.0.0.1:9/v1"),
            "hangs": model(hanging),
            "no address": model("http://[oops/v1"),
            "the vendor's": model(""),
        }
        assert health.states(models) == {
            "there": ModelState.OK,
            "away": ModelState.UNREACHABLE,
            "hangs": ModelState.UNREACHABLE,
            "no address": ModelState.UNREACHABLE,
            "the vendor's": ModelState.OK,
        }
        assert chat.requests == [], "nothing was asked of it"


def test_a_model_that_failed_rests(health: ModelHealth) -> None:
    with chat_server() as chat:
        failing = model(chat.base_url, "broken")
        with pytest.raises(Unavailable):
            list(failing.answer(AnswerRequest("年假？", "zh", [])))
        assert health.states({"failing": failing}) == {"failing": ModelState.RESTING}


def test_what_was_seen_holds_for_a_while(health: ModelHealth) -> None:
    with chat_server() as chat:
        asked = model(chat.base_url)
        assert health.states({"it": asked}) == {"it": ModelState.OK}
    assert health.states({"it": asked}) == {"it": ModelState.OK}, "not looked at again at once"
    with pytest.raises(Unavailable):
        asked.ping()


def test_readyz_names_them_without_address_or_key(desk: Desk) -> None:
    desk.corpus.platform.answer_models["away"] = model("http://127.0.0.1:9/v1")
    said = httpx.get(f"{desk.url}/readyz")
    body = Readiness.model_validate_json(said.text)
    states = {each.name: each.state for each in body.models}
    assert (states["extractive"], states["say"], states["away"]) == ("ok", "ok", "unreachable")
    assert body.ready is all(each.ok for each in body.dependencies), "models are no dependencies"
    assert "127.0.0.1" not in said.text
    assert KEY not in said.text


def test_a_folder_that_is_not_there_is_seen(tmp_path: Path, health: ModelHealth) -> None:
    from kbcore.llm.transformers_chat import TransformersModel

    own = TransformersModel(
        "own",
        model=str(tmp_path),
        device="",
        allowed=Classification.RESTRICTED,
        context_tokens=512,
        timeout_s=1,
        prompts=CONFIG_FOLDER / "prompts",
    )
    assert health.states({"own": own}) == {"own": ModelState.UNREACHABLE}
    (tmp_path / "config.json").touch()
    own.ping()
