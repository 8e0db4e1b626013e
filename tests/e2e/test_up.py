"""`zhiku up` as a user runs it: real processes, killed and restarted, on a data folder with a long name."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_S = 90.0


class Installation:
    """A data folder and a port; runs `zhiku` on them."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHIKU_")}
        self.environment = {**kept, "ZHIKU_HOME": str(home), "ZHIKU_PORT": str(port), "NO_COLOR": "1"}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "services.cli.main", *arguments]

    def zhiku(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**self.environment, **variables}
        command = self.command(*arguments)
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT, timeout=180
        )

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.zhiku("status", "--json").stdout)
        return answer

    def wait(self, restarted: str) -> dict[str, Any]:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            status = self.status()
            if status["ready"] and any(part["restarts"] for part in status["parts"] if part["name"] == restarted):
                return status
            assert time.monotonic() < deadline, f"{restarted} did not come back: {status}"
            time.sleep(0.2)

    def pids(self) -> dict[str, int]:
        return {part["name"]: part["pid"] for part in self.status()["parts"]}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("up").joinpath(*["a-data-folder-with-a-long-name"] * 4, "知库")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = Installation(home, port)
    yield made
    made.zhiku("down")


@pytest.fixture
def up(installation: Installation) -> Installation:
    started = installation.zhiku("up", "--detach")
    assert started.returncode == 0, started.stderr
    return installation


def test_the_first_start_shows_the_key_once(installation: Installation) -> None:
    started = installation.zhiku("up", "--detach")
    assert started.returncode == 0, started.stderr
    keys = [word for word in started.stdout.split() if word.startswith("zk_")]
    assert len(keys) == 1
    answer = httpx.get(f"{installation.url}/v1/users/me", headers={"Authorization": f"Bearer {keys[0]}"})
    assert (answer.status_code, answer.json()["name"]) == (200, "admin")
    files = [file for file in installation.home.rglob("*.log") if keys[0] in file.read_text(errors="replace")]
    assert not files, "the key is in a log"
    again = installation.zhiku("up", "--detach")
    assert again.returncode == 0
    assert "already running" in again.stdout
    assert "zk_" not in again.stdout


def test_a_second_supervisor_is_refused(up: Installation) -> None:
    second = up.zhiku("up")
    assert second.returncode != 0
    assert "already running" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize("part", ["postgres", "redis", "milvus", "api", "worker"])
def test_a_killed_part_comes_back(up: Installation, part: str) -> None:
    before = up.pids()
    os.kill(before[part], signal.SIGKILL)
    after = {found["name"]: found["pid"] for found in up.wait(part)["parts"]}
    assert after[part] != before[part]
    assert {name: pid for name, pid in after.items() if name != part} == {
        name: pid for name, pid in before.items() if name != part
    }


def test_everything_ends_with_a_killed_supervisor_and_the_next_start_works(up: Installation) -> None:
    pids = up.pids()
    state = json.loads((up.home / "run" / "state.json").read_text(encoding="utf-8"))
    os.kill(state["supervisor"]["pid"], signal.SIGKILL)
    started = up.zhiku("up", "--detach")
    assert started.returncode == 0, started.stderr
    assert up.status()["ready"]
    assert not set(pids.values()) & set(up.pids().values())
    for pid in pids.values():
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_doctor_is_content(up: Installation) -> None:
    found = up.zhiku("doctor", "--json")
    assert found.returncode == 0, found.stdout
    assert {check["name"] for check in json.loads(found.stdout)} >= {"python", "disk", "postgres", "worker", "index"}


def test_down_stops_everything(up: Installation) -> None:
    pids = up.pids()
    stopped = up.zhiku("down", "--json")
    assert set(json.loads(stopped.stdout)["stopped"]) == set(pids)
    status = up.zhiku("status", "--json")
    assert status.returncode == 1
    assert not (up.home / "run" / "state.json").exists()
    assert "not running" in up.zhiku("down").stdout


def test_a_taken_port_is_one_clear_message(installation: Installation) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        refused = installation.zhiku("up", ZHIKU_PORT=str(port))
    assert refused.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken" in refused.stderr
    assert "ZHIKU_PORT=" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_wrong_setting_is_one_clear_message(installation: Installation) -> None:
    refused = installation.zhiku("up", ZHIKU_PROT="1")
    assert refused.returncode == 1
    assert "did you mean ZHIKU_PORT?" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_ctrl_c_stops_a_foreground_run(installation: Installation) -> None:
    process = subprocess.Popen(
        installation.command("up"),
        env=installation.environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "to stop" in line:
                break
        assert any("Zhiku is ready" in line for line in lines), lines
        pids = installation.pids()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=_PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, rest
    assert "everything is stopped" in rest
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
