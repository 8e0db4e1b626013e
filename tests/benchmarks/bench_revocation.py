"""How long after a revocation is acknowledged does any API process still show what was taken away?

    python -m tests.benchmarks.bench_revocation [rounds]

Four API processes and a worker as `zhiku up` starts them, on real PostgreSQL (with fsync), Redis and Milvus Lite. In
every round a client takes a right away at one process, while one client per process reads and searches in turn.
Prints, by kind of revocation, p50, p99 and the longest of the revoking request itself, and of the time from its answer
until the answer of the last process's first refusal; and how many requests begun after the answer still showed it.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from kbcore.domain.document import Classification
from kbcore.metadata import users
from kbcore.metadata.database import Database
from kbcore.metadata.migrate import upgrade
from kbcore.settings import load_settings, silence_telemetry
from services.auth.api_keys import issue_key
from services.supervisor.milvus import EmbeddedMilvus
from services.supervisor.parts import api_part, worker_part
from services.supervisor.postgres import EmbeddedPostgres
from services.supervisor.redis import EmbeddedRedis
from services.supervisor.sockets import socket_folder
from tests.e2e.product import free_port, wait_until
from tests.servers import running

PROCESSES = 4
KINDS = ("grant", "group member", "clearance", "deny", "key", "document deleted")
SECRET = "mk0001secret"
QUESTION = f"What does the plan say about the budget {SECRET}?"
PATIENCE_S = 10.0
PAUSE_S = 0.02
"""Between two requests of one client: four of them without a pause would measure how full two cores are."""


@dataclass
class Watch:
    """What one process answered in a round: (sent, arrived, shown), in seconds of one clock."""

    answers: list[tuple[float, float, bool]] = field(default_factory=list)


@dataclass
class Figures:
    """Of one kind of revocation, in ms; `late` counts answers begun afterwards that still showed it."""

    request: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    late: int = 0
    asked_after: int = 0


@dataclass
class Bench:
    """The served product, an administrator, and a reader whose rights come and go."""

    urls: list[str]
    admin: httpx.Client
    documents: list[str] = field(default_factory=list)

    def manage(self, method: str, path: str, **content: Any) -> Any:
        """What the administrator does; returns the body."""
        answer = self.admin.request(method, path, **content).raise_for_status()
        return answer.json() if answer.content else None

    def set_policy(self, *allow: str, deny: tuple[str, ...] = ()) -> None:
        """The space's policy: the administrator manages, these read."""
        entries = [{"principal": who, "role": "reader"} for who in allow]
        entries.append({"principal": "user:boss", "role": "manager"})
        self.manage("PUT", "/v1/spaces/plans/policy", json={"allow": entries, "deny": list(deny)})

    def upload(self, number: int) -> str:
        """A document; its text says the secret."""
        content = f"# Plan\n\nThe plan {number} says that the budget is {SECRET}.\n".encode()
        form = {"space": "plans", "classification": "confidential"}
        return str(self.manage("POST", "/v1/documents", data=form, files={"file": ("plan.md", content)})["document_id"])

    def indexed(self) -> bool:
        """Every document is published."""
        return all(self.manage("GET", f"/v1/documents/{each}")["version"] for each in self.documents)

    def granted(self) -> dict[str, Any]:
        """The reader may read everything, with a new key, which is returned."""
        self.manage("PATCH", "/v1/users/reader", json={"clearance": "confidential"})
        self.manage("POST", "/v1/groups/readers/members", json={"members": ["user:reader"]})
        self.set_policy("group:readers")
        made: dict[str, Any] = self.manage("POST", "/v1/api-keys", json={"user": "reader", "name": "bench"})
        return made

    def revocation(self, kind: str, document: str, key: dict[str, Any]) -> Callable[[], httpx.Response]:
        """The request that takes it away."""
        boss = {"principal": "user:boss", "role": "manager"}
        readers = {"principal": "group:readers", "role": "reader"}
        calls: dict[str, tuple[str, str, Any]] = {
            "grant": ("PUT", "/v1/spaces/plans/policy", {"allow": [boss]}),
            "group member": ("DELETE", "/v1/groups/readers/members/user:reader", None),
            "clearance": ("PATCH", "/v1/users/reader", {"clearance": "internal"}),
            "deny": ("PUT", "/v1/spaces/plans/policy", {"allow": [boss, readers], "deny": ["user:reader"]}),
            "document deleted": ("DELETE", f"/v1/documents/{document}", None),
            "key": ("DELETE", f"/v1/api-keys/{key['id']}", None),
        }
        method, path, body = calls[kind]
        return lambda: self.admin.request(method, path, **({} if body is None else {"json": body})).raise_for_status()


def main(rounds: int) -> None:
    """Serve, revoke, watch, print."""
    with served(rounds) as bench:
        found = {kind: Figures() for kind in KINDS}
        for number in range(rounds):
            for kind in KINDS:
                one_round(bench, kind, found[kind], bench.documents[number])
    every = Figures()
    print("| revoked | rounds | request p50 / p99 / max, ms | last refusal p50 / p99 / max, ms | asked after | late |")
    print("|---|--:|--:|--:|--:|--:|")
    for kind, figures in found.items():
        print(row(kind, figures))
        every.request += figures.request
        every.refused += figures.refused
        every.late += figures.late
        every.asked_after += figures.asked_after
    print(row("**all**", every))


def one_round(bench: Bench, kind: str, figures: Figures, document: str) -> None:
    """Grant, see that every process shows it, revoke, and watch until none does."""
    key = bench.granted()
    over, watches = threading.Event(), [Watch() for _ in bench.urls]
    revoke = bench.revocation(kind, document, key)
    threads = [
        threading.Thread(target=poll, args=(url, key["key"], document, over, watch))
        for url, watch in zip(bench.urls, watches, strict=True)
    ]
    for thread in threads:
        thread.start()
    patience(lambda: all(any(shown for *_, shown in watch.answers) for watch in watches), "it is shown by all")
    sent = time.perf_counter()
    revoke()
    acknowledged = time.perf_counter()
    patience(lambda: all(sum(a[0] > acknowledged for a in watch.answers) >= 4 for watch in watches), "all were asked")
    over.set()
    for thread in threads:
        thread.join()
    refusals = [
        next(arrived for begun, arrived, shown in watch.answers if begun > sent and not shown) for watch in watches
    ]
    after = [shown for watch in watches for begun, _, shown in watch.answers if begun > acknowledged]
    figures.request.append((acknowledged - sent) * 1000)
    figures.refused.append(max(0.0, (max(refusals) - acknowledged) * 1000))
    figures.asked_after += len(after)
    figures.late += sum(after)


def poll(url: str, key: str, document: str, over: threading.Event, watch: Watch) -> None:
    """Read and search in turn, all the time."""
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30, trust_env=False) as client:
        while not over.is_set():
            for search in (False, True):
                begun = time.perf_counter()
                if search:
                    answer = client.post("/v1/search", json={"query": QUESTION, "top_k": 100})
                    shown = document in answer.text
                else:
                    answer = client.get(f"/v1/documents/{document}")
                    shown = answer.status_code == 200
                assert answer.status_code < 500, answer.text
                watch.answers.append((begun, time.perf_counter(), shown))
                time.sleep(PAUSE_S)


def patience(condition: Callable[[], bool], what: str) -> None:
    """Wait for it, briefly."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.002)


def row(name: str, figures: Figures) -> str:
    """A line of the table."""
    request, refused = (
        " / ".join(f"{float(value):.1f}" for value in (*np.percentile(each, [50, 99]), max(each)))
        for each in (figures.request, figures.refused)
    )
    return f"| {name} | {len(figures.request)} | {request} | {refused} | {figures.asked_after:,} | {figures.late} |"


@contextmanager
def served(rounds: int) -> Iterator[Bench]:
    """Everything started, with a document for every round."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zhiku-revocation-")))
        sockets = socket_folder(home)
        servers: dict[str, EmbeddedPostgres | EmbeddedRedis | EmbeddedMilvus] = {
            "DATABASE__URL": EmbeddedPostgres(home / "postgres", sockets),
            "REDIS__URL": EmbeddedRedis(home / "redis", sockets),
            "MILVUS__URI": EmbeddedMilvus(home / "milvus", sockets),
        }
        addresses = {}
        for name, server in servers.items():
            stack.enter_context(running(server.prepare(), home / f"{name}.log"))
            addresses[f"ZHIKU_{name}"] = server.uri if isinstance(server, EmbeddedMilvus) else server.url
        database = Database(addresses["ZHIKU_DATABASE__URL"])
        upgrade(database)
        urls = []
        for number in range(PROCESSES):
            settings = load_settings({"ZHIKU_HOME": str(home), "ZHIKU_PORT": str(free_port()), **addresses})
            part = api_part(settings, {**addresses, "ZHIKU_PORT": str(settings.server.port)})
            stack.enter_context(running(part, home / f"api{number}.log"))
            urls.append(f"http://127.0.0.1:{settings.server.port}")
        stack.enter_context(running(worker_part(settings, addresses), home / "worker.log"))
        with database.begin() as connection:
            boss = users.create_user(connection, name="boss", display_name="b", email=None, is_admin=True,
                                     clearance=Classification.RESTRICTED)  # fmt: skip
            token = issue_key(connection, user_id=boss.id, name="bench").token
        database.dispose()
        headers = {"authorization": f"Bearer {token}"}
        bench = Bench(urls, stack.enter_context(httpx.Client(base_url=urls[0], headers=headers, timeout=60)))
        bench.manage("POST", "/v1/users", json={"name": "reader", "clearance": "confidential"})
        bench.manage("POST", "/v1/groups", json={"name": "readers"})
        bench.manage("POST", "/v1/spaces", json={"name": "plans"})
        bench.set_policy("group:readers")
        bench.documents += [bench.upload(number) for number in range(rounds)]
        wait_until(bench.indexed, timeout_s=300)
        yield bench


if __name__ == "__main__":
    silence_telemetry()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
