"""Sampled employees list, search and ask; each passage and each list is judged by the company's rule."""

import random
import time
from dataclasses import dataclass, field

import httpx

from tests.security.enterprise.installed import Company
from tests.security.enterprise.rule import may_read

_TOP = 20
_FILLER = 4
"""Words of a paper's text that a question is made from."""


@dataclass
class Found:
    """Figures. A decision is one document judged for one person: shown or not, and whether that is right."""

    people: int = 0
    queries: int = 0
    passages: int = 0
    decisions: int = 0
    leaks: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)


def try_people(company: Company, url: str, chance: random.Random, *, people: int, questions: int) -> Found:
    """As many people, as many questions each; half of the people are chosen for a paper about themselves."""
    found = Found(people=people)
    for _ in range(people):
        person = _somebody(company, chance)
        headers = {"authorization": f"Bearer {company.key(person)}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
            _list(company, client, person, found)
            for number in range(questions):
                paper = chance.choice(company.organisation.papers)
                words = chance.sample(paper.text.split(), min(_FILLER, len(paper.text.split())))
                question = " ".join((paper.title, *words))
                if number % 4:
                    _search(company, client, person, question, found)
                else:
                    _ask(company, client, person, question, found)
    return found


def _somebody(company: Company, chance: random.Random) -> str:
    named = [person for paper in company.organisation.papers for person in paper.people]
    staff = [*company.users] if chance.random() < 0.5 else [person for person in named if person in company.users]
    return chance.choice(staff)


def _list(company: Company, client: httpx.Client, person: str, found: Found) -> None:
    """The list must be exactly what the rule says, in both directions."""
    listed: set[str] = set()
    cursor = None
    while True:
        params = {"limit": "200", **({} if cursor is None else {"cursor": cursor})}
        body = client.get("/v1/documents", params=params).raise_for_status().json()
        listed |= {item["id"] for item in body["items"]}
        if (cursor := body["next_cursor"]) is None:
            break
    right = {key for key, paper in company.documents.items() if may_read(company.organisation, person, paper)}
    found.decisions += len(company.documents)
    found.leaks += [_told(company, person, key, "list") for key in listed - right]
    found.hidden += [_told(company, person, key, "list") for key in right - listed]


def _search(company: Company, client: httpx.Client, person: str, question: str, found: Found) -> None:
    begun = time.perf_counter()
    answer = client.post("/v1/search", json={"query": question[:2000], "top_k": _TOP}).raise_for_status().json()
    found.milliseconds.append((time.perf_counter() - begun) * 1000)
    _judge(company, person, [item["document_id"] for item in answer["results"]], "search", found)


def _ask(company: Company, client: httpx.Client, person: str, question: str, found: Found) -> None:
    answer = client.post("/v1/ask", json={"question": question[:2000]}).raise_for_status().json()
    _judge(company, person, [citation["document_id"] for citation in answer["citations"]], "ask", found)
    for key, paper in company.documents.items():
        if paper.kind == "record" and paper.title in answer["answer"]:
            _judge(company, person, [key], "ask", found)


def _judge(company: Company, person: str, shown: list[str], path: str, found: Found) -> None:
    found.queries += 1
    found.passages += len(shown)
    found.decisions += len(shown)
    for key in shown:
        if not may_read(company.organisation, person, company.documents[key]):
            found.leaks.append(_told(company, person, key, path))


def _told(company: Company, person: str, key: str, path: str) -> str:
    who, paper = company.organisation.staff[person], company.documents[key]
    return f"{path}: {who} and {paper.kind} {paper.title!r} of {paper.departments or paper.people}"
