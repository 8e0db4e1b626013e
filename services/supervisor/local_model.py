"""The local model as a part of one Zhiku: its address and key of this start, its process, whether it answers."""

import secrets
import socket
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from kbcore.settings import Settings, child_environment
from services.local_models import registry
from services.supervisor.parts import probe
from services.supervisor.process import Part

PART = "model"
"""Its name among the parts."""
_SOURCE = Path(__file__).resolve().parents[2]
_URL, _KEY = "ZHIKU_LOCAL_MODEL__BASE_URL", "ZHIKU_LOCAL_MODEL__API_KEY"

_log = structlog.get_logger(__name__)


class LocalModelServer:
    """A model that `zhiku models add` has put there, served on loopback to whoever has this start's key."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self.addresses: Mapping[str, str] = {
            _URL: f"http://127.0.0.1:{_free_port()}/v1",
            _KEY: secrets.token_urlsafe(32),
            "ZHIKU_LOCAL_MODEL__NAME": name,
        }

    def prepare(self) -> Part:
        """How to run it. Nobody waits for it: until it answers, the documents are quoted instead."""
        home = str(self._settings.home)
        return Part(
            name=PART,
            command=(sys.executable, "-m", "services.local_models.server"),
            environment=child_environment(
                **self.addresses, ZHIKU_HOME=home, PYTHONPATH=str(_SOURCE), PYTHONUNBUFFERED="1"
            ),
            ready=lambda: True,
            stop_timeout_s=10.0,
        )


def local_model_server(settings: Settings) -> LocalModelServer | None:
    """The server to start; None without a model, without the package that runs it, or if another one is configured."""
    if settings.local_model.base_url:
        return None
    offer = registry.installed(settings.home)
    if offer is None:
        return None
    if find_spec("xllamacpp") is None:
        _log.warning("local model not started: its package is missing", model=offer.name, see="zhiku models status")
        return None
    return LocalModelServer(settings, offer.name)


def chosen_default(settings: Settings, addresses: Mapping[str, str]) -> Mapping[str, str]:
    """The variable for what `zhiku models use` chose, if that can answer now."""
    chosen = registry.read(settings.home).default
    if chosen is None:
        return {}
    served = addresses.get("ZHIKU_LOCAL_MODEL__NAME", settings.local_model.name)
    if chosen not in (served, "extractive") or (chosen == served and _URL not in addresses):
        return {}
    return {"ZHIKU_LLM__DEFAULT": chosen}


def model_answers(addresses: Mapping[str, str]) -> bool:
    """True if the server of these addresses is loaded and answers."""
    address = urlsplit(addresses.get(_URL, ""))
    return bool(address.port) and probe("127.0.0.1", address.port or 0, "/health") == 200


def _free_port() -> int:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        return int(probing.getsockname()[1])
