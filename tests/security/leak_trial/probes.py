"""Every path that could show a text or that something exists; each answer goes to the judge."""

import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from kbcore.domain.ids import new_id
from tests.security.leak_trial import oracle
from tests.security.leak_trial.installation import Installation
from tests.security.leak_trial.judge import Answer, Asker, Judge
from tests.security.leak_trial.moves import text_of
from tests.security.leak_trial.world import Document, World

QUESTION = "What budget in yuan does the secret plan have?"
_UNLIKE = ("x-trace-id", "date")
"""Headers that differ on every answer."""


@dataclass
class Memory:
    """What an asker has been given and may come back with."""

    conversations: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    writes: list[tuple[int, str, bytes, str]] = field(default_factory=list)


@dataclass
class Prober:
    """Asks as anybody. `calm`: nothing moves meanwhile, so figures must be exact.

    `jobs`: documents' numbers and jobs' ids, of which the first `ended` are done.
    """

    site: Installation
    judge: Judge
    chance: random.Random
    calm: bool = True
    memories: dict[Asker, Memory] = field(default_factory=lambda: defaultdict(Memory))
    jobs: list[tuple[int, str]] = field(default_factory=list)
    ended: int = 0
    snapshots: list[str] = field(default_factory=list)
    _strangers: dict[tuple[str, bool, bool], Any] = field(default_factory=dict)

    @property
    def world(self) -> World:
        """As it is now, or is becoming."""
        return self.judge.states[-1].world

    def call(
        self, path: str, asker: Asker, method: str, url: str, *, headers: dict[str, str] | None = None, **content: Any
    ) -> tuple[Answer, httpx.Response]:
        """One request, timed; everything that came back, headers included."""
        sent = {**dict(asker.headers), **(headers or {})}
        started = time.time()
        got = self.site.client.request(method, url, headers=sent, **content)
        ended = time.time()
        shown = "\n".join((*(f"{name}: {value}" for name, value in got.headers.items()), got.text))
        request = f"{method} {url} {json.dumps(content.get('json', content.get('params')), ensure_ascii=False)}"
        if got.status_code >= 500 and '"access_changed"' not in got.text:
            raise AssertionError(f"{request} -> {got.status_code} {got.text}")
        if got.status_code >= 500 and self.calm:
            self.judge.faults.append(f"TAKEN BACK ALTHOUGH NOTHING MOVED: {path}: {request}")
        return Answer(path, asker, request, got.status_code, shown, started, ended), got

    def everything(
        self, path: str, asker: Asker, method: str, url: str, *, decisions: int = 0, **more: Any
    ) -> tuple[Answer, httpx.Response]:
        """A request whose answer decides about every document of the world."""
        judging = {name: more.pop(name) for name in ("any_id", "also_gone_ids", "ids_allowed") if name in more}
        answer, got = self.call(path, asker, method, url, **more)
        self.judge.judge(answer, decisions=decisions or len(self.world.documents), **judging)
        return answer, got

    def one(self, path: str, asker: Asker, document: Document, method: str, suffix: str, **more: Any) -> Any:
        """A request about one document; to whom it is hidden it must be answered like one about nothing."""
        answer, got = self.call(path, asker, method, f"/v1/documents/{document.id}{suffix}", **more)
        admin = self.world.people[asker.person].admin
        self.judge.judge(answer, decisions=1, any_id=admin)
        managed = suffix in ("/policy", "/answers") and admin
        hidden = not managed and not self.judge.may_read(asker, document.number, answer.started, answer.ended)
        if hidden and shown(got) != self._stranger(asker, method, suffix, got, more):
            self.judge.odd(answer, document.number, "EXISTENCE TOLD")
        return got

    def _stranger(self, asker: Asker, method: str, suffix: str, got: httpx.Response, more: Any) -> Any:
        """What is said about a document that there never was: to nobody, to an administrator, to anybody else."""
        if got.status_code == 403 and asker.kind == "app acting for a person":  # who may not be acted for any more
            return shown(self.call("unknown", asker, method, f"/v1/documents/{new_id()}{suffix}", **more)[1])
        admin, nobody = self.world.people[asker.person].admin, got.status_code == 401
        key = (f"{method} {suffix}", nobody, admin)
        if key not in self._strangers:
            headers = {"authorization": "Bearer nonsense"} if nobody else self.site.root if admin else self.site.keeper
            sent = {**more, "headers": {**headers, **more.get("headers", {})}}
            unknown = self.site.client.request(method, f"/v1/documents/{new_id()}{suffix}", **sent)
            assert unknown.status_code == (401 if nobody else 404)
            self._strangers[key] = shown(unknown)
        return self._strangers[key]

    # --- searching

    def search(self, asker: Asker, mode: str = "hybrid", query: str = QUESTION, **more: Any) -> None:
        """Everything that the question finds, which is everything, for every text has its words."""
        sent = {"query": query, "top_k": 100, "mode": mode, **more}
        answer, got = self.everything(f"search {mode}", asker, "POST", "/v1/search", json=sent)
        if got.status_code != 200:
            return
        body = got.json()
        self.memories[asker].epochs.append(body["epoch"])
        self.memories[asker].traces.append(body["trace_id"])
        if not more:
            self.judge.expect(answer, answer.documents, None, indexed=True)
            if self.calm:
                self._newest(answer, body["results"])

    def _newest(self, answer: Answer, results: Iterable[dict[str, Any]]) -> None:
        numbers = {document.id: document for document in self.world.documents.values()}
        for result in results:
            document = numbers[result["document_id"]]
            if document.settled and document.versions[-1].said not in result["text"]:
                self.judge.odd(answer, document.number, "OLD VERSION SHOWN AS PRESENT")

    def search_one(self, asker: Asker) -> None:
        """By a word that one document alone has, whoever may read it: it must be found, or nothing told."""
        document = self.document()
        sent = {"query": document.handle, "top_k": 3, "mode": self.chance.choice(("hybrid", "keyword"))}
        answer, got = self.everything("search by word", asker, "POST", "/v1/search", json=sent)
        if got.status_code == 200:
            self.judge.expect(answer, answer.documents, frozenset({document.number}), indexed=True)

    def search_past(self, asker: Asker) -> None:
        """As of an epoch or a snapshot: old versions, today's rights."""
        epochs = [0, *self.memories[asker].epochs]
        choices = [f"epoch:{self.chance.choice(epochs)}", *(f"snapshot:{name}" for name in self.snapshots)]
        sent = {"query": QUESTION, "top_k": 100, "as_of": self.chance.choice(choices)}
        self.everything("search as_of", asker, "POST", "/v1/search", json=sent)

    def search_filtered(self, asker: Asker) -> None:
        """By tag, metadata or space: filters that the index ignores."""
        document = self.document()
        titled = document.versions[-1].titled
        narrowed: dict[str, Any] = self.chance.choice(
            (
                {"filters": {"tags": [f"t{titled}"]}},
                {"filters": {"metadata": {"code": titled}}},
                {"spaces": [document.space]},
            )
        )
        sent = {"query": QUESTION, "top_k": 100, **narrowed}
        self.everything("search filtered", asker, "POST", "/v1/search", json=sent)

    def dify(self, asker: Asker) -> None:
        """Dify's retrieval of one space."""
        space = self.chance.choice(sorted(self.world.spaces))
        setting = {"top_k": 100, "score_threshold": 0.0}
        sent = {"knowledge_id": space, "query": QUESTION, "retrieval_setting": setting}
        self.everything("Dify retrieval", asker, "POST", "/retrieval", json=sent)

    # --- asking

    def question(self) -> str:
        """About everything, or about one document that may be hidden."""
        if self.chance.random() < 0.5:
            return QUESTION
        return f"What budget does the secret plan {self.document().handle} have?"

    def ask(self, asker: Asker) -> None:
        """A cited answer; it is remembered."""
        sent: dict[str, Any] = {"question": self.question()}
        memory = self.memories[asker]
        if memory.conversations and self.chance.random() < 0.5:
            sent["conversation_id"] = self.chance.choice(memory.conversations)
        _, got = self.everything("ask", asker, "POST", "/v1/ask", json=sent)
        if got.status_code == 200:
            body = got.json()
            memory.traces.append(body["trace_id"])
            if "conversation_id" not in sent:
                memory.conversations.append(body["conversation_id"])

    def ask_stream(self, asker: Asker) -> None:
        """The same as events."""
        sent = {"question": self.question(), "stream": True}
        self.everything("ask stream", asker, "POST", "/v1/ask", json=sent)

    def chat(self, asker: Asker) -> None:
        """OpenAI's way, whole or streamed."""
        messages = [{"role": "user", "content": self.question()}]
        sent = {"model": "zhiku", "messages": messages, "stream": self.chance.random() < 0.3}
        self.everything("chat completions", asker, "POST", "/v1/chat/completions", json=sent)

    def conversations(self, asker: Asker) -> None:
        """One's own history, after rights may have gone."""
        self.everything("conversations", asker, "GET", "/v1/conversations?limit=200")
        for conversation in self.memories[asker].conversations[-2:]:
            # Of a withheld answer `stale` names sources that are gone, by id, to those who could still read them.
            url = f"/v1/conversations/{conversation}"
            self.everything("conversations", asker, "GET", url, also_gone_ids=True)

    def feedback(self, asker: Asker) -> None:
        """On one's own answer."""
        traces = self.memories[asker].traces or ["0" * 32]
        sent = {"trace_id": self.chance.choice(traces), "rating": 1}
        self.everything("feedback", asker, "POST", "/v1/feedback", json=sent, decisions=1)

    # --- documents

    def document(self) -> Document:
        """Any document, gone ones too."""
        known = [document for document in self.world.documents.values() if document.id]
        return self.chance.choice(known)

    def listed(self, asker: Asker) -> None:
        """All pages of the list: what is hidden must not leave gaps or a page too many."""
        limit, cursor = self.chance.choice((7, 50, 200)), None
        found: set[int] = set()
        started, whole = time.time(), True
        while True:
            params = {"limit": str(limit), **({} if cursor is None else {"cursor": cursor})}
            answer, got = self.everything("documents list", asker, "GET", "/v1/documents", params=params)
            if got.status_code != 200:
                whole = False
                break
            found |= answer.documents
            body = got.json()
            if len(body["items"]) < limit and body["next_cursor"] is not None:
                self.judge.odd(answer, 0, "A PAGE WITH GAPS")
            if (cursor := body["next_cursor"]) is None:
                break
            if not body["items"]:
                break
        if whole:
            spanned = Answer(answer.path, asker, answer.request, answer.status, "", started, answer.ended)
            self.judge.expect(spanned, found, None, indexed=False)

    def listed_narrowed(self, asker: Asker) -> None:
        """By a title that one may not see, an external id, a space."""
        document = self.document()
        titled = document.versions[-1].titled
        params = self.chance.choice(
            (
                {"q": titled},
                {"external_id": f"ext-{document.versions[0].titled}"},
                {"space": document.space},
                {"status": "pending"},
            )
        )
        self.everything("documents list", asker, "GET", "/v1/documents", params=params)

    def read(self, asker: Asker) -> None:
        """The document itself, which its readers must get."""
        document = self.document()
        answer, _ = self.call("document", asker, "GET", f"/v1/documents/{document.id}")
        self.judge.expect(answer, answer.documents, frozenset({document.number}), indexed=False)
        self.one("document", asker, document, "GET", "")

    def read_parts(self, asker: Asker) -> None:
        """One of its parts: history, text, bytes, passages, pages, differences, policy, answers."""
        document = self.document()
        number, last = self.chance.randint(1, len(document.versions)), len(document.versions)
        path, suffix = self.chance.choice(
            (
                ("versions", "/versions"),
                ("version text", f"/versions/{number}"),
                ("content", f"/versions/{number}/content"),
                ("chunks", f"/versions/{number}/chunks"),
                ("diff", f"/versions/1/diff/{last}"),
                ("page ledger", f"/versions/{number}/ledger"),
                ("document policy", "/policy"),
                ("answers of document", "/answers"),
                ("error bodies", "/versions/999"),
            )
        )
        self.one(path, asker, document, "GET", suffix)

    def meddle(self, asker: Asker) -> None:
        """Writes that must fail for everybody, each in a way of its own, and say nothing to whom it is hidden."""
        document = self.document()
        stale = {"if-match": '"9999"'}
        method, suffix, more = self.chance.choice(
            (
                ("PATCH", "", {"json": {"classification": "public"}, "headers": stale}),
                ("DELETE", "", {"headers": stale}),
                ("PUT", "/content", {"files": {"file": ("a.md", b"x")}, "headers": stale}),
                ("POST", "/rollback", {"json": {"to": 9999}}),
                ("DELETE", "/policy", {"headers": stale}),
                ("PUT", "/text", {"json": {"text": "x"}, "headers": stale}),
            )
        )
        if suffix == "/policy" and self.world.people[asker.person].admin:
            return
        self.one("error bodies", asker, document, method, suffix, **more)

    def write_once(self, asker: Asker) -> None:
        """A write that changes nothing, with an idempotency key: to be repeated when the rights have gone."""
        document = self.document()
        said = document.versions[-1].said
        if not document.settled or "corrected" in said:
            return
        key, content = new_id(), text_of(document.handle, said)
        file = {"file": (f"{said}.md", content)}
        match = f'"{len(document.versions)}"'
        headers = {"idempotency-key": key, "if-match": match}
        got = self.one("idempotent replay", asker, document, "PUT", "/content", files=file, headers=headers)
        if got.status_code == 200:
            self.memories[asker].writes.append((document.number, key, content, match))

    def write_again(self, asker: Asker) -> None:
        """The same once more: its remembered answer counts as showing the document."""
        if not self.memories[asker].writes:
            return self.write_once(asker)
        number, key, content, match = self.chance.choice(self.memories[asker].writes)
        document = self.world.documents[number]
        name = content.decode().split()[2]
        headers = {"idempotency-key": key, "if-match": match}
        file = {"file": (f"{name}.md", content)}
        self.one("idempotent replay", asker, document, "PUT", "/content", files=file, headers=headers)
        return None

    # --- work and sums

    def list_jobs(self, asker: Asker) -> None:
        """All jobs; administrators see those of documents that they may not read, without a word of them."""
        admin = self.world.people[asker.person].admin
        self.everything("jobs list", asker, "GET", "/v1/jobs?limit=200", any_id=admin)

    def read_job(self, asker: Asker) -> None:
        """A job of some document, and its events if it has ended."""
        if not self.jobs:
            return
        place = self.chance.randrange(len(self.jobs))
        number, job = self.jobs[place]
        admin = self.world.people[asker.person].admin
        suffix = self.chance.choice(("", "/events")) if place < self.ended or not self.calm else ""
        path = "job events" if suffix else "job"
        answer, got = self.call(path, asker, "GET", f"/v1/jobs/{job}{suffix}")
        self.judge.judge(answer, decisions=1, any_id=admin)
        if not admin and not self.judge.may_read(asker, number, answer.started, answer.ended):
            unknown = self.site.client.get(f"/v1/jobs/{new_id()}{suffix}", headers=dict(asker.headers))
            if shown(got) != shown(unknown):
                self.judge.odd(answer, number, "EXISTENCE TOLD")

    def ledger(self, asker: Asker) -> None:
        """Items, and sums, which must count nothing else than the items."""
        admin = self.world.people[asker.person].admin
        answer, got = self.everything("ledger", asker, "GET", "/v1/ledger?limit=200")
        if got.status_code != 200:
            return
        body = got.json()
        if body["next_cursor"] is None:
            self.judge.expect(answer, answer.documents, None, indexed=False)
            if self.calm and not admin and body["totals"]["received"] != len(body["items"]):
                self.judge.odd(answer, 0, "SUMS COUNT WHAT IS HIDDEN")

    def spaces(self, asker: Asker) -> None:
        """Names of spaces and snapshots: one decision for each space."""
        answer, got = self.call("spaces", asker, "GET", "/v1/spaces?limit=200")
        self.judge.judge(answer, decisions=len(self.world.spaces))
        if got.status_code != 200 or not self.calm:
            return
        listed = {item["name"] for item in got.json()["items"]}
        seen = {name for name in self.world.spaces if oracle.sees_space(self.world, asker.person, name, answer.ended)}
        if listed - {"everything"} != seen:
            self.judge.odd(answer, 0, f"SPACES: shown {sorted(listed)}, visible {sorted(seen)}")
        self.everything("snapshots", asker, "GET", "/v1/snapshots?limit=200", decisions=len(self.world.spaces))

    def erasures(self, asker: Asker) -> None:
        """For administrators: ids, never a word."""
        self.everything("erasures", asker, "GET", f"/v1/erasures/{new_id()}", decisions=1)

    def explained(self, asker: Asker) -> None:
        """Why somebody may read a document, now or at a moment that is past: the model must say the same."""
        state = self.judge.states[-1]
        if self.calm and self.chance.random() < 0.5:
            state = self.chance.choice([each for each in self.judge.states if each.world.documents] or [state])
        document = self.chance.choice([d for d in state.world.documents.values() if d.id] or [self.document()])
        person = self.chance.choice(sorted(state.world.people))
        params = {"user": self.site.ids[f"user:{person}"], "document": document.id}
        moment = time.time()
        if state is not self.judge.states[-1]:
            moment = state.acknowledged + 0.0005  # nothing moves sooner than that after a move
            params["at"] = datetime.fromtimestamp(moment, UTC).isoformat()
        answer, got = self.call("access explained", asker, "GET", "/v1/access/explain", params=params)
        self.judge.judge(answer, decisions=1, any_id=self._trusted(asker))
        if got.status_code != 200 or not self.calm:
            return
        told = {document.number in oracle.readable(state.world, person, at) for at in (moment, moment + 0.0005)}
        told |= {document.number in oracle.readable(state.world, person, answer.ended)} if "at" not in params else set()
        if got.json()["readable"] not in told:
            self.judge.odd(answer, document.number, f"WRONGLY EXPLAINED: {got.text}")

    def audit(self, asker: Asker) -> None:
        """The log, all of it or of one document: ids for the trusted, never a word, nothing for others."""
        of_one = f"&document={self.document().id}" if self.chance.random() < 0.5 else ""
        self.everything("audit log", asker, "GET", f"/v1/audit?limit=200{of_one}", any_id=self._trusted(asker))

    def traces(self, asker: Asker) -> None:
        """The record of an earlier answer, one's own or somebody else's, and what it was written from."""
        own = self.memories[asker].traces
        known = (
            own if own and self.chance.random() < 0.6 else [t for m in list(self.memories.values()) for t in m.traces]
        )
        trace = self.chance.choice(known or ["0" * 32])
        url = f"/v1/traces/{trace}"
        self.everything("traces", asker, "GET", url, any_id=self._trusted(asker))
        self.everything("replay", asker, "POST", f"{url}/replay", any_id=self._trusted(asker))

    def exported(self, asker: Asker) -> None:
        """Everything that is held about oneself, or about somebody."""
        person = self.chance.choice(("me", "me", self.chance.choice(sorted(self.world.people))))
        self.everything("personal data", asker, "GET", f"/v1/users/{person}/export", any_id=self._trusted(asker))

    def _trusted(self, asker: Asker) -> bool:
        person = self.world.people[asker.person]
        return person.admin or person.auditor


Probe = Callable[[Prober, Asker], None]
OFTEN: tuple[tuple[Probe, int], ...] = (
    (Prober.search_one, 4),
    (Prober.search_past, 3),
    (Prober.search_filtered, 2),
    (Prober.dify, 2),
    (Prober.ask, 4),
    (Prober.ask_stream, 2),
    (Prober.chat, 2),
    (Prober.conversations, 4),
    (Prober.feedback, 1),
    (Prober.listed, 2),
    (Prober.listed_narrowed, 2),
    (Prober.read, 3),
    (Prober.read_parts, 8),
    (Prober.meddle, 3),
    (Prober.write_again, 2),
    (Prober.list_jobs, 2),
    (Prober.read_job, 3),
    (Prober.ledger, 3),
    (Prober.spaces, 2),
    (Prober.erasures, 1),
    (Prober.explained, 2),
    (Prober.audit, 2),
    (Prober.traces, 4),
    (Prober.exported, 2),
)
"""What is drawn from, with weights; whole searches come in the driver."""


def shown(response: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """Everything that a caller can compare: status, body and headers, without what differs on every answer."""
    text = response.text
    if "json" in response.headers.get("content-type", ""):
        body = json.loads(text)
        body.pop("trace_id", None)
        text = json.dumps(body, sort_keys=True)
    headers = {name: value for name, value in response.headers.items() if name not in _UNLIKE}
    return response.status_code, text, headers
