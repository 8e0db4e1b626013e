"""What `zhiku up` checks first: each finding names the thing and the remedy."""

import socket
from pathlib import Path

from services.supervisor import checks


def test_a_taken_port_is_named_with_a_remedy() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        found = checks.port("127.0.0.1", port)
    assert not found.ok
    assert f"Port {port} on 127.0.0.1 is taken" in str(found)
    assert f"ZHIKU_PORT={port + 1}" in str(found)
    assert checks.port("127.0.0.1", port).ok


def test_a_folder_that_takes_no_files_is_named() -> None:
    found = checks.writable(Path("/proc/zhiku/data"))
    assert not found.ok
    assert "/proc" in found.detail
    assert "ZHIKU_HOME" in found.remedy


def test_a_folder_that_does_not_exist_yet_is_fine(tmp_path: Path) -> None:
    assert checks.writable(tmp_path / "not" / "yet").ok
    assert checks.disk(tmp_path / "not" / "yet").detail.endswith("yet")


def test_this_python_will_do() -> None:
    assert checks.python_version().ok


def test_a_port_below_1024_is_not_answered_with_another_one() -> None:
    taken = checks.port("192.0.2.1", 80)  # an address that no machine has: binding fails everywhere, under root, too
    assert not taken.ok
    assert "ZHIKU_PORT=8080" in taken.remedy
