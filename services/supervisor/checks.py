"""What must hold before a start: each check says what is wrong, where, and the remedy."""

import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

from kbcore.settings import Settings

_DISK_BYTES = 500_000_000  # PostgreSQL's first files, the index, some room
_MEMORY_BYTES = 2_000_000_000
_FIRST_FREE_FOR_ALL = 1024  # ports below it are root's


@dataclass(frozen=True)
class Check:
    """A finding. `remedy` is empty when all is well; `fatal` findings stop a start."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.detail}. {self.remedy}" if self.remedy else self.detail


def before_start(settings: Settings) -> list[Check]:
    """The checks of `zhiku up`, cheap enough for every start."""
    return [
        python_version(),
        writable(settings.home),
        disk(settings.home),
        memory(),
        port(settings.server.host, settings.server.port),
    ]


def python_version() -> Check:
    """Python 3.11 to 3.13."""
    found = ".".join(map(str, sys.version_info[:3]))
    ok = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Check("python", ok, f"Python {found}", "" if ok else "Zhiku needs Python 3.11, 3.12 or 3.13")


def writable(home: Path) -> Check:
    """The data folder takes files."""
    folder = _existing(home)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check("folder", False, f"{folder} takes no files ({error.strerror})", "Set ZHIKU_HOME to another folder")
    return Check("folder", True, str(home))


def disk(home: Path) -> Check:
    """Free space where the data live."""
    free = shutil.disk_usage(_existing(home)).free
    ok = free >= _DISK_BYTES
    remedy = "" if ok else f"Free at least {_DISK_BYTES / 1e9:.1f} GB there, or set ZHIKU_HOME to another disk"
    return Check("disk", ok, f"{free / 1e9:.1f} GB free for {home}", remedy)


def memory() -> Check:
    """Available memory; too little is a warning only, because swap may do."""
    available = psutil.virtual_memory().available
    ok = available >= _MEMORY_BYTES
    remedy = "" if ok else f"Zhiku wants {_MEMORY_BYTES / 1e9:.0f} GB: expect it to be slow, or stop other programs"
    return Check("memory", ok, f"{available / 1e9:.1f} GB of memory available", remedy, fatal=False)


def port(host: str, number: int) -> Check:
    """Nobody else listens on the API's port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            holder = _listener(number)
            taken = (
                f"Port {number} on {host} is taken{holder}" if holder else f"Port {number} on {host}: {error.strerror}"
            )
            other = number + (1 if number >= _FIRST_FREE_FOR_ALL else 8000)
            return Check("port", False, taken, f"Choose another, for example ZHIKU_PORT={other}")
    return Check("port", True, f"port {number} on {host} is free")


def _listener(number: int) -> str:
    try:
        for connection in psutil.net_connections("inet"):
            if connection.laddr and connection.laddr.port == number and connection.status == psutil.CONN_LISTEN:
                name = psutil.Process(connection.pid).name() if connection.pid else "another user's program"
                return f" by {name}" + (f" (pid {connection.pid})" if connection.pid else "")
    except psutil.Error:
        return ""
    return ""


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
