"""Take from the parsing process what parsing does not need: the network, other programs, writing, more memory.

Two layers: what the kernel grants without root (namespaces, no_new_privs, rlimits), and an audit hook inside Python
that refuses what the kernel could not be asked for. The hook stops code that goes through Python; native code of a
PDF library that is taken over meets only the first layer.
"""

import contextlib
import ctypes
import os
import resource
import sys
from pathlib import Path

_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000
_PR_SET_NO_NEW_PRIVS, _PR_SET_DUMPABLE = 38, 4
_LARGEST_FILE = 512 * 2**20
_OPEN_FILES = 256
_CPU_SLACK_S = 10
_FORBIDDEN = (
    "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname",
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn",
    "os.chmod", "os.chown", "os.link", "os.symlink", "shutil.chown",
)  # fmt: skip
_CHANGING = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC


class ConfinementError(PermissionError):
    """Something that a parser has no business doing was tried."""


def confine(folder: Path, memory_bytes: int) -> bool:
    """Confine this process for good; `folder` is the only place it may write to. True if the kernel took the network.

    Call before any thread is started. The address space is limited to `memory_bytes` (0 = no limit).
    """
    isolated = _leave_network()
    if memory_bytes:
        _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, _LARGEST_FILE)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    allowed = f"{folder.resolve()}{os.sep}"
    sys.addaudithook(lambda event, arguments: _audit(event, arguments, allowed))
    return isolated


def limit_cpu(seconds: float) -> None:
    """The kernel ends this process after so much more computing, even if its parent has died and nobody watches."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = usage.ru_utime + usage.ru_stime
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds) + _CPU_SLACK_S, hard))


def _leave_network() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    isolated: bool = libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC) == 0
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return isolated


def _limit(kind: int, value: int) -> None:
    """Set a limit for good; some platforms know some of them only by name."""
    _, hard = resource.getrlimit(kind)
    wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (wanted, wanted))


def _audit(event: str, arguments: tuple[object, ...], allowed: str) -> None:
    if event in _FORBIDDEN:
        raise ConfinementError(f"the parsing process may not: {event}")
    if event == "open":
        path, mode, flags = arguments
        writes = isinstance(flags, int) and flags & _WRITING
        if writes and not isinstance(path, int) and not _is_below(path, allowed):
            raise ConfinementError(f"the parsing process may not write files (mode {mode})")
    elif event in _CHANGING and not _is_below(arguments[0], allowed):
        raise ConfinementError(f"the parsing process may not: {event}")


def _is_below(path: object, allowed: str) -> bool:
    text = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
    return text == os.devnull or f"{os.path.abspath(text)}{os.sep}".startswith(allowed)
