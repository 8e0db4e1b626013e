"""No text reaches a server that it may not be sent to: what recording servers of every kind got is searched for it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.embedding.bundled import BundledEmbedder
from kbcore.metadata.database import Database
from kbcore.metadata.tables import users
from kbcore.settings import load_settings
from services.auth.api_keys import issue_key
from tests.builders import Corpus
from tests.integration.test_guard_filters import Moderator, moderator
from tests.servers.application import serving
from tests.servers.chat_server import ChatServer, chat_server
from tests.servers.rerank_server import API_KEY, RerankServer, rerank_server

PUBLIC = "访客停车场在北门，开放时间为每天八点到二十点。"
CONFIDENTIAL = "并购项目代号北斗星，预计于三月签约，签约金额为九亿元。"
RESTRICTED = "总裁的应急联络口令是蓝色鲸鱼，每周一更换一次。"
QUESTIONS = {
    "public": "访客停车场的开放时间是什么？",
    "confidential": "并购项目北斗星的签约金额是多少？",
    "restricted": "总裁的应急联络口令是什么？",
}


@dataclass
class House:
    """Somebody cleared for everything asks; `house` may be sent confidential text at most, all others public text.

    `keys` are of people cleared so far. `cloud` rewrites follow-ups, too.
    """

    url: str
    corpus: Corpus
    keys: dict[str, str]
    cloud: ChatServer
    house: ChatServer
    reranker: RerankServer
    moderator: Moderator

    @property
    def key(self) -> str:
        return self.keys["restricted"]

    def ask(self, question: str, *, cleared: str = "restricted", **more: object) -> dict[str, Any]:
        answer = httpx.post(
            f"{self.url}/v1/ask",
            json={"question": question, **more},
            headers={"Authorization": f"Bearer {self.keys[cleared]}"},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def chat(self, *messages: tuple[str, str], model: str = "zhiku") -> dict[str, Any]:
        said = [{"role": role, "content": content} for role, content in messages]
        answer = httpx.post(
            f"{self.url}/v1/chat/completions",
            json={"model": model, "messages": said},
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def _entry(name: str, level: str, server: ChatServer) -> dict[str, object]:
    return {
        "name": name,
        "provider": "openai",
        "model": "say",
        "base_url": server.base_url,
        "max_classification": level,
        "context_tokens": 4096,
        "timeout_s": 5,
    }


@pytest.fixture
def house(
    database: Database, postgres_url: str, redis_url: str, milvus_uri: str, embedder: BundledEmbedder, tmp_path: Path
) -> Iterator[House]:
    with ExitStack() as servers:
        cloud, inside = (servers.enter_context(chat_server()) for _ in range(2))
        reranker, filtering = servers.enter_context(rerank_server()), servers.enter_context(moderator())
        filtering.answer = '{"action": "allow"}'
        outside = {"name": "outside", "url": filtering.url, "kind": "json", "unseen": "allow"}
        settings = load_settings(
            {
                "ZHIKU_HOME": str(tmp_path),
                "ZHIKU_DATABASE__URL": postgres_url,
                "ZHIKU_REDIS__URL": redis_url,
                "ZHIKU_MILVUS__URI": milvus_uri,
                "ZHIKU_LLM__DEFAULT": "cloud",
                "ZHIKU_LLM__FALLBACKS": "house",
                "ZHIKU_LLM__REWRITE": "cloud",
                "ZHIKU_LLM__QUESTION_CLASSIFICATION": "public",
                "ZHIKU_LLM__MODELS": json.dumps(
                    [_entry("cloud", "public", cloud), _entry("house", "confidential", inside)]
                ),
                "ZHIKU_RERANK__KIND": "http",
                "ZHIKU_RERANK__MODEL": "words",
                "ZHIKU_RERANK__BASE_URL": reranker.url,
                "ZHIKU_RERANK__API_KEY": API_KEY,
                "ZHIKU_RERANK__MAX_CLASSIFICATION": "public",
                "ZHIKU_GUARD__FILTERS": "outside",
                "ZHIKU_GUARD__HTTP_FILTERS": json.dumps([{**outside, "max_classification": "public"}]),
            }
        )
        platform = Platform(settings)
        platform.__dict__.update(database=database, embedding_model=embedder)
        corpus = Corpus.open(platform)
        corpus.space("all", "everyone")
        corpus.add("all", "停车", PUBLIC, classification=Classification.PUBLIC)
        corpus.add("all", "并购", CONFIDENTIAL, classification=Classification.CONFIDENTIAL)
        corpus.add("all", "口令", RESTRICTED, classification=Classification.RESTRICTED)
        people = {level.word: corpus.person(level.word, clearance=level) for level in Classification}
        with database.begin() as connection:
            keys = {
                word: issue_key(connection, user_id=person.user_id, name="test").token
                for word, person in people.items()
            }
        with serving(platform) as url:
            yield House(url, corpus, keys, cloud, inside, reranker, filtering)


def _got(server: ChatServer) -> str:
    return json.dumps(server.requests, ensure_ascii=False)


def _outside(house: House) -> str:
    """All that was sent out. A question counts as public here, so the filter may be shown one."""
    return _got(house.cloud) + json.dumps([house.moderator.asked, house.reranker.requests], ensure_ascii=False)


def _nothing_got_out(house: House) -> None:
    for secret in ("北斗星", "九亿元", "蓝色鲸鱼"):
        assert secret not in _got(house.cloud)
    for secret in ("九亿元", "三月签约", "蓝色鲸鱼"):
        assert secret not in _outside(house)
    assert "蓝色鲸鱼" not in _got(house.house)


def test_each_text_goes_where_it_may_and_says_why(house: House) -> None:
    house.cloud.answer = house.house.answer = "NO_ANSWER"
    # The passages that are found decide, not the question: all three documents are among them here.
    body = house.ask(QUESTIONS["confidential"])
    assert body["model"] == "extractive"
    assert "restricted" in body["routed_because"]
    _nothing_got_out(house)
    assert house.cloud.requests == []


def test_what_may_go_out_does(house: House) -> None:
    house.cloud.answer = "访客停车场的开放时间为每天八点到二十点。[1]"
    house.house.answer = "签约金额为九亿元。[1]"
    body = house.ask(QUESTIONS["public"], cleared="public")
    assert (body["model"], body["routed_because"]) == ("cloud", "the configured default")
    assert "八点" in _got(house.cloud)
    body = house.ask(QUESTIONS["confidential"], cleared="confidential")
    assert body["model"] == "house"
    assert body["routed_because"] == "the text is confidential, and cloud may be sent public text at most"
    assert "北斗星" in _got(house.house)
    _nothing_got_out(house)


@pytest.mark.parametrize("model", [None, "cloud", "house"])
def test_neither_by_name_nor_by_default(house: House, model: str | None) -> None:
    for question in QUESTIONS.values():
        house.ask(question, model=model)
        house.chat(("user", question), model=model or "zhiku")
    _nothing_got_out(house)


def test_what_was_said_before_counts_too(house: House) -> None:
    """A harmless question after a secret answer, in a conversation and as a client's own history."""
    secret = house.ask(QUESTIONS["restricted"])
    house.ask("谢谢！访客停车场的开放时间是什么？", conversation_id=secret["conversation_id"])
    house.chat(("user", QUESTIONS["restricted"]), ("assistant", RESTRICTED), ("user", QUESTIONS["public"]))
    _nothing_got_out(house)
    assert "口令" not in _got(house.cloud)


def test_a_house_model_that_is_down_is_no_reason_to_send_it_out(house: House) -> None:
    house.house.answer = ""  # stops without a word: not a usable answer
    for question in QUESTIONS.values():
        house.ask(question)
    _nothing_got_out(house)


def test_the_reranker_gets_what_it_may_have(house: House) -> None:
    def search(cleared: str) -> list[dict[str, Any]]:
        answer = httpx.post(
            f"{house.url}/v1/search",
            json={"query": QUESTIONS["confidential"]},
            headers={"Authorization": f"Bearer {house.keys[cleared]}"},
            timeout=60,
        )
        return list(answer.raise_for_status().json()["results"])

    assert {each["scores"]["rerank"] for each in search("confidential")} == {None}
    assert house.reranker.requests == []
    (parking,) = search("public")
    assert parking["scores"]["rerank"] is not None
    _nothing_got_out(house)


def test_a_follow_up_is_as_secret_as_what_it_follows(house: House) -> None:
    """It may quote the answer before it: neither a filter, nor the rewriting model, nor the reranker may see it."""
    first = house.ask(QUESTIONS["confidential"], cleared="confidential")
    more = {"cleared": "confidential", "conversation_id": first["conversation_id"]}
    house.ask("九亿元是含税金额吗？", **more)
    house.ask("那停车场呢？", **more)
    _nothing_got_out(house)
    assert "北斗星" not in _got(house.cloud)
    assert "九亿元是含税" in _got(house.house)


def test_a_thread_whose_answers_are_withheld_by_now_is_sent_nowhere(house: House) -> None:
    first = house.ask(QUESTIONS["confidential"], cleared="confidential")
    more = {"cleared": "confidential", "conversation_id": first["conversation_id"]}
    house.ask("九亿元是含税金额吗？", **more)
    with house.corpus.platform.database.begin() as connection:
        lowered = sa.update(users).where(users.c.name == "confidential").values(clearance=int(Classification.PUBLIC))
        connection.execute(lowered)
    before = len(house.house.requests)
    house.ask("那它的开放时间呢？", **more)
    house.ask("停车场呢？", **more)
    _nothing_got_out(house)
    assert "九亿元" not in json.dumps(house.house.requests[before:], ensure_ascii=False)


def test_a_document_that_was_only_named_makes_a_thread_secret_too(house: House) -> None:
    house.house.answer = "NO_ANSWER"
    first = house.ask(QUESTIONS["confidential"], cleared="confidential")
    assert "并购" in first["answer"]
    house.ask(
        "《并购》里没有吗？那访客停车场的开放时间呢？", cleared="confidential", conversation_id=first["conversation_id"]
    )
    assert "并购" not in _got(house.cloud)
