"""The parts of one Zhiku on this machine: the embedded servers that the settings ask for, the API, the worker."""

import http.client
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kbcore.settings import Settings, child_environment
from services.supervisor.folder import DataFolder
from services.supervisor.milvus import EmbeddedMilvus
from services.supervisor.postgres import EmbeddedPostgres
from services.supervisor.process import Part
from services.supervisor.redis import EmbeddedRedis
from services.supervisor.sockets import socket_folder

_SOURCE = Path(__file__).resolve().parents[2]

Server = EmbeddedPostgres | EmbeddedRedis | EmbeddedMilvus


@dataclass(frozen=True)
class Embedded:
    """The embedded servers, in starting order, and the environment variables by which the others find them."""

    servers: Mapping[str, Server]
    addresses: Mapping[str, str]


def embedded_servers(settings: Settings, folder: DataFolder) -> Embedded:
    """Every server whose address the settings leave empty."""
    sockets = socket_folder(folder.home)
    servers: dict[str, Server] = {}
    addresses: dict[str, str] = {}
    if not settings.database.url.get_secret_value():
        postgres = EmbeddedPostgres(folder.home / "postgres", sockets)
        servers["postgres"], addresses["ZHIKU_DATABASE__URL"] = postgres, postgres.url
    if not settings.redis.url.get_secret_value():
        redis = EmbeddedRedis(folder.home / "redis", sockets)
        servers["redis"], addresses["ZHIKU_REDIS__URL"] = redis, redis.url
    if not settings.milvus.uri:
        milvus = EmbeddedMilvus(folder.home / "milvus", sockets)
        servers["milvus"], addresses["ZHIKU_MILVUS__URI"] = milvus, milvus.uri
    return Embedded(servers, addresses)


def api_part(settings: Settings, addresses: Mapping[str, str]) -> Part:
    """The HTTP API: one process with a thread pool."""
    host, port = settings.server.host, settings.server.port
    return Part(
        name="api",
        command=(sys.executable, "-m", "services.api"),
        environment=_environment(settings, addresses),
        ready=lambda: probe(host, port, "/readyz") == http.client.OK,
        stop_timeout_s=10.0,
        poll_s=0.1,
        start_timeout_s=120.0,  # it is ready once the embedding model is loaded
    )


def worker_part(settings: Settings, addresses: Mapping[str, str]) -> Part:
    """The ingestion worker."""
    return Part(
        name="worker",
        command=(sys.executable, "-m", "ingestion.worker"),
        environment=_environment(settings, addresses),
        ready=lambda: True,  # it takes jobs as soon as it can; nobody waits for it
        death_signal=signal.SIGKILL,  # a clean stop needs Redis, which is dying too; leases give its jobs to the next
        stop_timeout_s=15.0,
    )


def local_url(settings: Settings) -> str:
    """Where a browser on this machine finds the API."""
    host = _reachable(settings.server.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.server.port}"


def probe(host: str, port: int, path: str) -> int | None:
    """The status of a GET on this machine, None when nobody answers within 2 s."""
    connection = http.client.HTTPConnection(_reachable(host), port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 (compared, not bound)


def _environment(settings: Settings, addresses: Mapping[str, str]) -> dict[str, str]:
    return child_environment(
        **{
            **addresses,
            "ZHIKU_HOME": str(settings.home),
            "PYTHONPATH": str(_SOURCE),
            "PYTHONUNBUFFERED": "1",
        }
    )
