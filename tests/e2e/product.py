"""Zhiku as a stranger runs it: processes started by the command line, spoken to over HTTP."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from kbcore.settings import child_environment
from services.supervisor.state import State

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Product:
    """A running Zhiku."""

    home: Path
    url: str
    admin_key: str

    def zhiku(self, *arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run the command line against it."""
        return zhiku(self.home, self.url, *arguments, timeout_s=timeout_s)

    def client(self, key: str | None = None) -> httpx.Client:
        """An HTTP client with a key (the administrator's unless told otherwise)."""
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {key or self.admin_key}"}, timeout=30, trust_env=False
        )

    @property
    def credentials(self) -> dict[str, str]:
        """What `credentials.json` says."""
        content: dict[str, str] = json.loads((self.home / "credentials.json").read_text())
        return content

    def pid(self, part: str) -> int:
        """The process id of one part, from the supervisor's own file."""
        state = State.read(self.home / "run" / "state.json")
        assert state is not None
        return state.children[part].process.pid


def zhiku(home: Path, url: str, *arguments: str, timeout_s: float = 180) -> subprocess.CompletedProcess[str]:
    """Run `zhiku …` with this data folder and address."""
    port = url.rsplit(":", 1)[1]
    return subprocess.run(
        [sys.executable, "-m", "services.cli.main", *arguments],
        cwd=ROOT,
        env=child_environment(ZHIKU_HOME=str(home), ZHIKU_PORT=port, ZHIKU_URL=url, COLUMNS="100"),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@contextmanager
def running_product(*arguments: str) -> Iterator[Product]:
    """`zhiku up --detach …` in a fresh data folder; stopped and removed afterwards."""
    home = Path(tempfile.mkdtemp(prefix="zhiku-e2e-"))
    url = f"http://127.0.0.1:{free_port()}"
    try:
        started = zhiku(home, url, "up", "--detach", *arguments, timeout_s=300)
        assert started.returncode == 0, started.stdout + started.stderr
        key = re.search(r"zk_[\w-]+", started.stdout)
        assert key, started.stdout
        yield Product(home, url, key.group())
    finally:
        zhiku(home, url, "down")
        shutil.rmtree(home, ignore_errors=True)


def free_port() -> int:
    """A loopback port that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Any, *, timeout_s: float = 60) -> Any:
    """Ask until the answer is truthy, and return it; fails after the timeout."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if answer := condition():
            return answer
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


def alive(pid: int) -> bool:
    """True while a process exists and is not a zombie."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except FileNotFoundError:
        return False
    except PermissionError:
        os.kill(pid, 0)
        return True
