"""The API as clients meet it: a real server on a free port, on the test servers, with people to call it as."""

import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.metadata import groups, users
from kbcore.metadata.database import Database
from kbcore.settings import Settings, load_settings
from services.api.app import create_app
from services.auth.api_keys import issue_key


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The application's address, while it is served."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_config=None, access_log=False, ws="none", proxy_headers=False)
    )
    thread = threading.Thread(target=server.run, name="api")
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@dataclass
class Api:
    """A served application and clients of it, each with a person's key."""

    url: str
    app: FastAPI
    database: Database
    _people: dict[str, httpx.Client] = field(default_factory=dict)
    _open: list[httpx.Client] = field(default_factory=list)

    @property
    def platform(self) -> Platform:
        """The adapters that the application uses."""
        return self.app.state.platform

    @property
    def admin(self) -> httpx.Client:
        """An administrator, cleared for everything."""
        return self.person("admin", clearance="restricted", is_admin=True)

    def person(
        self, name: str, *, clearance: str = "internal", is_admin: bool = False, groups: tuple[str, ...] = ()
    ) -> httpx.Client:
        """A client with the key of this person, who is made at the first call."""
        if name not in self._people:
            token = self._add(name, Classification.of(clearance), is_admin, groups)
            self._people[name] = self.client(token)
        return self._people[name]

    def client(self, token: str | None = None) -> httpx.Client:
        """A client with this key, or with none."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        client = httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)
        self._open.append(client)
        return client

    def space(self, name: str, *, deny: tuple[str, ...] = (), **roles: str) -> str:
        """A space with a policy, `space("hr", lina="reader", everyone="reader")`; returns its id."""
        made = self.admin.post("/v1/spaces", json={"name": name}).raise_for_status().json()
        allow = [
            {"principal": who if who == "everyone" else f"user:{who}", "role": role} for who, role in roles.items()
        ]
        policy = {"allow": allow, "deny": list(deny)}
        self.admin.put(f"/v1/spaces/{name}/policy", json=policy).raise_for_status()
        return str(made["id"])

    def upload(self, client: httpx.Client, space: str, content: bytes = b"text", **fields: Any) -> dict[str, Any]:
        """An accepted upload."""
        name = fields.pop("file_name", "note.txt")
        response = client.post("/v1/documents", data={"space": space, **fields}, files={"file": (name, content)})
        return dict(response.raise_for_status().json())

    def close(self) -> None:
        """Give back the connections."""
        for client in self._open:
            client.close()

    def _add(self, name: str, clearance: Classification, is_admin: bool, names: tuple[str, ...]) -> str:
        with self.database.begin() as connection:
            user = users.create_user(
                connection, name=name, display_name=name, email=None, clearance=clearance, is_admin=is_admin
            )
            for group in names:
                groups.add_members(connection, groups.get_group(connection, group).id, [f"user:{user.id}"])
            return issue_key(connection, user_id=user.id, name="test").token


def api_settings(home: Path, postgres_url: str, redis_url: str, **more: str) -> Settings:
    """Settings on the test servers."""
    return load_settings(
        {
            "ZHIKU_HOME": str(home),
            "ZHIKU_DATABASE__URL": postgres_url,
            "ZHIKU_REDIS__URL": redis_url,
            "ZHIKU_SERVER__MAX_UPLOAD_BYTES": "2000000",
            "ZHIKU_AUDIT__KEY": b64encode(b"k" * 32).decode(),  # several servers write to one log
            "ZHIKU_AUDIT__REFUSALS_PER_MINUTE": "100000",  # tests want to see each of them
            "ZHIKU_EVALUATION__RUN_HERE": "false",  # tests carry them out when they want to
            "ZHIKU_LOGIN__ATTEMPTS_PER_ADDRESS": "1000000",  # all tests come from one
            **more,
        }
    )


@pytest.fixture(scope="session")
def served_api(
    servers_home: Path, migrated_database: Database, postgres_url: str, redis_url: str
) -> Iterator[tuple[str, FastAPI]]:
    """One server for all tests; they ask for `api`."""
    app = create_app(api_settings(servers_home / "api", postgres_url, redis_url))
    with serving(app) as url:
        yield url, app


@pytest.fixture
def api(served_api: tuple[str, FastAPI], database: Database) -> Iterator[Api]:
    """The API on an empty database."""
    url, app = served_api
    api = Api(url, app, database)
    yield api
    api.close()
