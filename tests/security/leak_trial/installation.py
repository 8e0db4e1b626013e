"""The product that is on trial: served over HTTP, on real PostgreSQL and Redis, with a lying index and a worker."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from ingestion.index.live import ensure_live
from ingestion.publish import Publisher
from ingestion.tasks import Workbench
from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.metadata import users
from kbcore.metadata.database import Database
from kbcore.settings import load_settings
from services.auth.api_keys import issue_key
from tests.security.leak_trial.lying import LettersEmbedder, LyingStore
from tests.servers.application import serving

ROOT = "root"
"""The administrator who manages people, policies and erasures, without a role anywhere."""

_WAITING = sa.text("SELECT id FROM jobs WHERE state = 'queued' ORDER BY id")


@dataclass
class Installation:
    """Where requests go, and the worker's half, which runs when told to."""

    platform: Platform
    url: str
    bench: Workbench
    root: dict[str, str]
    keeper: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    _local: threading.local = field(default_factory=threading.local)
    _clients: list[httpx.Client] = field(default_factory=list)

    @property
    def client(self) -> httpx.Client:
        """This thread's connection."""
        if not hasattr(self._local, "client"):
            self._local.client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
            self._clients.append(self._local.client)
        client: httpx.Client = self._local.client
        return client

    def manage(self, method: str, path: str, **content: Any) -> Any:
        """What the administrator does; its answer's body."""
        answer = self.client.request(method, path, headers=self.root, **content).raise_for_status()
        return answer.json() if answer.content else None

    def run_jobs(self) -> int:
        """Run every waiting job to its end; returns how many there were."""
        done = 0
        while True:
            with self.platform.database.begin() as connection:
                waiting = list(connection.execute(_WAITING).scalars())
            if not waiting:
                return done
            for job_id in waiting:
                self.bench.run(job_id)
            done += len(waiting)

    def close(self) -> None:
        """Give back connections."""
        for client in self._clients:
            client.close()


@contextmanager
def installed(
    home: Path, database: Database, postgres_url: str, redis_url: str, chance: random.Random
) -> Iterator[Installation]:
    """Serve it on an empty, migrated database, with one administrator."""
    settings = load_settings(
        {
            "ZHIKU_HOME": str(home),
            "ZHIKU_DATABASE__URL": postgres_url,
            "ZHIKU_REDIS__URL": redis_url,
            "ZHIKU_RETRIEVAL__CANDIDATES": "100",
            "ZHIKU_RETRIEVAL__EXACT_ROWS": chance.choice(
                ("0", "0", "20")
            ),  # else so little is searched without the index
            "ZHIKU_RETRIEVAL__MAX_CANDIDATES": "100",  # the index answers everything at once
            **{f"ZHIKU_ANSWER__MIN_{name}": "0" for name in ("SCORE_ZH", "SCORE_EN", "QUOTE_ZH", "QUOTE_EN")},
        }
    )
    platform = Platform(settings)
    embedder = LettersEmbedder()
    platform.__dict__.update(database=database, vectors=LyingStore(chance), embedder=embedder, embedding_model=embedder)
    with database.begin() as connection:
        root = users.create_user(
            connection,
            name=ROOT,
            display_name=ROOT,
            email=None,
            clearance=Classification.RESTRICTED,
            is_admin=True,
        )
        token = issue_key(connection, user_id=root.id, name="trial").token
    ensure_live(platform)
    bench = Workbench(platform, Publisher(platform))
    with serving(platform) as url:
        made = Installation(platform, url, bench, {"authorization": f"Bearer {token}"}, ids={f"user:{ROOT}": root.id})
        try:
            yield made
        finally:
            made.close()
            bench.close()
