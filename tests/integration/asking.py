"""A served library with people and keys, and a scripted chat model beside the extractive one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.domain.principal import Caller
from kbcore.llm.breaker import Breaker
from kbcore.llm.langchain_chat import LangChainModel
from kbcore.llm.providers import ChatService
from kbcore.settings import CONFIG_FOLDER
from services.auth.api_keys import issue_key
from tests.builders import Corpus
from tests.servers.application import serving
from tests.servers.chat_server import BEHAVIOURS, ChatServer, chat_server

HANDBOOK = """# 年假

员工入职满一年后享有五天年假。年假可以结转至次年三月三十一日，逾期作废。

# 病假

病假需提供医院证明，三天以内由直属主管批准。
"""
TRAVEL = """# Hotels

Hotel costs are reimbursed up to 600 yuan per night in Beijing and Shanghai.

# Flights

Book economy class. Business class needs the approval of a vice president.
"""
SALARY = """# 薪酬等级

P5 级工程师的月薪范围是 18,000 至 26,000 元。薪酬信息不得外传。
"""


@dataclass
class Desk:
    """Where questions are asked."""

    url: str
    corpus: Corpus
    chat: ChatServer
    keys: dict[str, str]
    people: dict[str, Caller]
    documents: dict[str, str]

    def client(self, person: str = "employee") -> httpx.Client:
        """An HTTP client with this person's key."""
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.keys[person]}"}, timeout=30)


@contextmanager
def open_desk(platform: Platform) -> Iterator[Desk]:
    """Three documents, an employee and somebody of HR, models named after `BEHAVIOURS`."""
    corpus = Corpus.open(platform)
    corpus.space("public", "everyone")
    corpus.space("hr", "hr")
    documents = {
        "handbook": corpus.add("public", "员工手册", HANDBOOK),
        "travel": corpus.add("public", "Travel policy", TRAVEL),
        "salary": corpus.add("hr", "薪酬制度", SALARY),
    }
    people = {"employee": corpus.person("employee"), "hr": corpus.person("hr-person", "hr")}
    with platform.database.begin() as connection:
        keys = {
            name: issue_key(connection, user_id=caller.user_id, name="test").token for name, caller in people.items()
        }
    with chat_server() as chat:
        for behaviour in BEHAVIOURS:
            platform.answer_models[behaviour] = LangChainModel(
                behaviour,
                ChatService("openai", behaviour, chat.base_url, "sk-very-secret", api_version="", timeout_s=1),
                allowed=Classification.RESTRICTED,
                context_tokens=4096,
                prompts=CONFIG_FOLDER / "prompts",
                breaker=Breaker(failures=1000, rest_s=1),
            )
        with serving(platform) as url:
            yield Desk(url, corpus, chat, keys, people, documents)
