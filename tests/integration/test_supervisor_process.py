"""One child process: its start, its end, what is left when things go wrong."""

import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from kbcore.errors import ConfigurationError, Conflict, Unavailable
from services.supervisor.folder import LOG_BYTES, DataFolder
from services.supervisor.process import Child, Part, ProcessId
from services.supervisor.sockets import socket_folder
from services.supervisor.state import ChildState, State
from tests.servers import running

_PATIENCE_S = 20.0


def part(code: str, **options: object) -> Part:
    arguments: dict[str, object] = {"ready": lambda: True, "environment": dict(os.environ), **options}
    return Part(name="child", command=(sys.executable, "-c", code), **arguments)  # type: ignore[arg-type]


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_child_is_ready_runs_and_stops_by_its_own_signal(tmp_path: Path) -> None:
    flag = tmp_path / "ready"
    code = (
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        f"pathlib.Path({str(flag)!r}).touch()\n"
        "time.sleep(600)"
    )
    with running(part(code, ready=flag.exists), tmp_path / "log") as child:
        assert child.running
        assert child.id.find() is not None
    assert child.exit_code == 7
    assert child.id.find() is None


def test_a_child_that_ignores_its_signal_is_killed(tmp_path: Path) -> None:
    flag = tmp_path / "ready"
    code = f"import pathlib, signal, time; signal.signal(15, 1); pathlib.Path({str(flag)!r}).touch(); time.sleep(600)"
    with running(part(code, ready=flag.exists, stop_timeout_s=0.2), tmp_path / "log") as child:
        pass
    assert child.exit_code == -signal.SIGKILL


def test_a_child_that_ends_at_start_says_where_its_log_is(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    with (
        pytest.raises(Unavailable, match=r"child ended at start \(exit code 3\); see .*child\.log"),
        running(part("import sys; print('because', flush=True); sys.exit(3)", ready=lambda: False), log),
    ):
        pass
    assert "because" in log.read_text(encoding="utf-8")


def test_a_child_that_never_answers_is_given_up(tmp_path: Path) -> None:
    silent = part("import time; time.sleep(600)", ready=lambda: False, start_timeout_s=0.3)
    with pytest.raises(Unavailable, match="did not answer"), running(silent, tmp_path / "log"):
        pass


def test_a_child_hears_sigint_even_if_we_ignore_it(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        flag = tmp_path / "ready"
        code = f"import pathlib, time; pathlib.Path({str(flag)!r}).touch(); time.sleep(600)"
        with running(part(code, ready=flag.exists, stop_signal=signal.SIGINT), tmp_path / "log") as child:
            pass
    finally:
        signal.signal(signal.SIGINT, before)
    assert child.exit_code in (1, -signal.SIGINT)


def test_grandchildren_do_not_outlive_a_killed_child(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import pathlib, subprocess, sys, time\n"
        "grandchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(grandchild.pid) + '\\n')\n"
        "time.sleep(600)"
    )
    with running(
        part(code, ready=lambda: note.exists() and note.read_text().endswith("\n")), tmp_path / "log"
    ) as child:
        pid = int(note.read_text())
        grandchild = ProcessId(pid, psutil.Process(pid).create_time())
        os.kill(child.id.pid, signal.SIGKILL)
        assert eventually(lambda: not child.running)
        child.sweep()
        assert eventually(lambda: grandchild.find() is None)


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import os, pathlib, sys, time\n"
        "from services.supervisor.process import Child, Part\n"
        "part = Part('child', (sys.executable, '-c', 'import time; time.sleep(600)'), lambda: True, dict(os.environ))\n"
        f"child = Child(part, pathlib.Path({str(tmp_path / 'log')!r}))\n"
        f"pathlib.Path({str(note)!r}).write_text(f'{{child.id.pid}} {{child.id.started}}\\n')\n"
        "time.sleep(600)"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    try:
        assert eventually(lambda: note.exists() and note.read_text().endswith("\n"))
    finally:
        supervisor.kill()
        supervisor.wait()
    pid, started = note.read_text().split()
    assert eventually(lambda: ProcessId(int(pid), float(started)).find() is None)


def test_a_reused_pid_is_not_our_process() -> None:
    me = psutil.Process()
    assert ProcessId(me.pid, me.create_time()).find() is not None
    stranger = ProcessId(me.pid, me.create_time() - 60)
    assert stranger.find() is None
    assert stranger.stop(signal.SIGKILL, timeout_s=0)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "home")
    folder.create()
    return folder


def test_a_data_folder_has_one_holder(folder: DataFolder) -> None:
    with folder.lock(), pytest.raises(Conflict, match="already running"), folder.lock():
        pass
    with folder.lock():
        pass


def test_the_data_folder_is_private(folder: DataFolder) -> None:
    assert folder.home.stat().st_mode & 0o066 == 0
    assert folder.run.stat().st_mode & 0o077 == 0


def test_a_large_log_is_rotated_and_its_writer_goes_on(folder: DataFolder) -> None:
    log = folder.log("api")
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * (LOG_BYTES + 1))
        folder.rotate_logs()
        writer.write(b"after")
    assert log.read_bytes() == b"after"
    assert log.with_name("api.log.1").stat().st_size == LOG_BYTES + 1


def test_the_state_file_is_private_and_round_trips(folder: DataFolder) -> None:
    state = State(
        ProcessId(1, 2.5), "http://x", "ready", {"api": ChildState(ProcessId(3, 4.5), 15, 2)}, {"ZHIKU_REDIS__URL": "r"}
    )
    state.write(folder.state)
    assert State.read(folder.state) == state
    assert folder.state.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"supervisor": {"pid": 1}})])
def test_a_damaged_state_file_is_no_state(folder: DataFolder, content: str) -> None:
    folder.state.write_text(content, encoding="utf-8")
    assert State.read(folder.state) is None


def test_somebody_elses_data_folder_is_said_to_be_one(tmp_path: Path) -> None:
    file = tmp_path / "run" / "state.json"
    file.parent.mkdir()
    file.touch(mode=0o000)
    me = os.geteuid()
    try:
        if me == 0:  # who reads everything
            os.seteuid(pwd.getpwnam("nobody").pw_uid)
        with pytest.raises(ConfigurationError, match="another user's data folder; set ZHIKU_HOME"):
            State.read(file)
    finally:
        os.seteuid(me)


def test_leftovers_of_a_killed_supervisor_are_stopped(folder: DataFolder) -> None:
    orphan = Child(part("import time; time.sleep(600)"), folder.log("orphan"))
    try:
        State(ProcessId(1, 0.0), "", "ready", {"orphan": ChildState(orphan.id, signal.SIGTERM)}).write(folder.state)
        state = State.read(folder.state)
        assert state is not None
        assert not state.running
        assert state.stop_children() == ["orphan"]
        assert not orphan.running
    finally:
        orphan.stop()


def test_socket_paths_stay_short_for_a_long_home(tmp_path: Path) -> None:
    home = tmp_path.joinpath(*["a-rather-long-folder-name"] * 8)
    sockets = socket_folder(home)
    try:
        assert len(str(sockets / "pg" / ".s.PGSQL.5432.lock")) < 100
        assert sockets == socket_folder(home)
        assert sockets != socket_folder(tmp_path)
        assert sockets.stat().st_mode & 0o066 == 0
    finally:
        for made in (sockets, socket_folder(tmp_path)):
            made.rmdir()
