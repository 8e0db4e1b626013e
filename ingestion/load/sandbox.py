"""Load untrusted files in a process of their own: whatever a file does to a parser, it does to that process only."""

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

from ingestion.load.frames import (
    LENGTH,
    MalformedAnswerError,
    longest_answer,
    parse_answer,
    parse_body,
    request,
    write_frame,
)
from ingestion.load.limits import Limits
from kbcore.domain.chunk import Loaded
from kbcore.errors import ConfigurationError, ItemFailed
from kbcore.settings import QUIET, ParsingSettings, child_environment

_START_TIMEOUT_S = 60.0
_DOCUMENTS = 200
"""A process is replaced after so many, whatever leaked."""
_LEAST_MEMORY = 512 * 2**20
_RSS_BYTES = 700 * 2**20
"""Or when it has kept so much memory after a document."""
_READ_BYTES = 1 << 20
_PROJECT = Path(__file__).resolve().parents[2]
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH")
"""Of the worker's environment; the rest holds addresses and passwords."""


class ParserProcess(AbstractContextManager["ParserProcess"]):
    """A parsing process, started when first needed and reused for many documents.

    One document at a time; a second thread waits. Memory, time, pages, text and the expansion of containers are
    bounded by `settings`; the process has no network, starts no program, writes only to its own folder (removed
    with it), and knows none of our secrets.
    """

    def __init__(self, settings: ParsingSettings) -> None:
        if 0 < settings.memory_bytes < _LEAST_MEMORY:
            raise ConfigurationError(f"parsing.memory_bytes must be at least {_LEAST_MEMORY} (512 MiB), or 0: no limit")
        self._limits = Limits(**{name: getattr(settings, name) for name in Limits.__dataclass_fields__})
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._documents = 0
        self._lock = Lock()

    def load(self, path: Path, file_name: str) -> Loaded:
        """What is in the file; `file_name` is what its owner calls it.

        Raises `ItemSkipped` or `ItemFailed`; besides the codes of the loaders: parse_timeout, parse_memory,
        parser_crashed. After any of them the next document is loaded as if nothing had happened. A document that
        crashes a process used before gets a second chance in a fresh one: it may not have been the culprit.
        """
        with self._lock:
            try:
                try:
                    return self._load(path, file_name)
                except ItemFailed as crash:
                    if crash.code != "parser_crashed" or self._documents <= 1:
                        raise
                    return self._load(path, file_name)
            finally:
                if self._documents >= _DOCUMENTS or _resident_bytes(self._process) > _RSS_BYTES:
                    self._stop()

    @property
    def folder(self) -> str | None:
        """The process's own temporary folder, while there is one."""
        return str(self._folder) if self._folder else None

    def warm_up(self) -> None:
        """Start the process now rather than with the first document."""
        with self._lock:
            self._started()

    def close(self) -> None:
        """Stop the process and remove its folder."""
        with self._lock:
            self._stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _load(self, path: Path, file_name: str) -> Loaded:
        process = self._started()
        self._documents += 1
        deadline = time.monotonic() + self._limits.timeout_s
        try:
            return parse_answer(self._exchange(process, str(path.resolve()), file_name, deadline))
        except MalformedAnswerError as error:
            self._stop()
            raise ItemFailed("parser_crashed", f"The parser answered nonsense ({error}).") from None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        self._folder = Path(tempfile.mkdtemp(prefix="zhiku-parse-"))
        self._documents = 0
        self._process = subprocess.Popen(  # noqa: S603 — our own interpreter and module, no shell
            [sys.executable, "-m", "ingestion.load.child", str(self._folder), str(self._limits.memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_PROJECT,
            env=parser_environment(self._folder),
            start_new_session=True,
        )
        try:
            ready = _read_message(self._process, time.monotonic() + _START_TIMEOUT_S, longest=1024)
        except (TimeoutError, EOFError, MalformedAnswerError):
            ready = {}
        if not ready.get("ready"):
            self._stop()
            command = f"{sys.executable} -m ingestion.load.child {tempfile.gettempdir()} 0"
            raise ConfigurationError(f"the parsing process does not start; to see why, run: {command}")
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], path: str, file_name: str, deadline: float) -> dict[str, Any]:
        if process.stdin is None:
            raise ItemFailed("parser_crashed", "The parser has no input.")
        try:
            write_frame(process.stdin, request(path, file_name, self._limits))
            return _read_message(process, deadline, longest_answer(self._limits))
        except TimeoutError:
            self._stop()
            raise self._too_slow() from None
        except (EOFError, BrokenPipeError):
            status = process.wait()
            self._stop()
            if status == -signal.SIGXCPU:
                raise self._too_slow() from None
            what = signal.Signals(-status).name if status < 0 else f"exit status {status}"
            raise ItemFailed(
                "parser_crashed",
                f"The parser crashed on this file ({what}). The file is damaged or made to do harm; export it again.",
            ) from None

    def _too_slow(self) -> ItemFailed:
        return ItemFailed(
            "parse_timeout",
            f"Reading the file took longer than {self._limits.timeout_s:g} s. Split the document, or raise "
            "parsing.timeout_s.",
        )

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def parser_environment(folder: Path) -> dict[str, str]:
    """The environment of a parsing process: what an interpreter needs to start, and none of our secrets."""
    own = {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "XDG_CACHE_HOME": str(folder),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
    }
    kept = {*_INHERITED, *QUIET, *own}
    return {name: value for name, value in child_environment(**own).items() if name in kept}


def _read_message(process: subprocess.Popen[bytes], deadline: float, longest: int) -> dict[str, Any]:
    """The next answer. Raises `TimeoutError`, `EOFError` (the process has ended), `MalformedAnswerError`."""
    if process.stdout is None:
        raise EOFError
    (length,) = LENGTH.unpack(_read_exactly(process.stdout.fileno(), LENGTH.size, deadline))
    if length > longest:
        raise MalformedAnswerError(f"{length} bytes")
    return parse_body(_read_exactly(process.stdout.fileno(), length, deadline))


def _read_exactly(descriptor: int, count: int, deadline: float) -> bytes:
    received = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while len(received) < count:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise TimeoutError
            piece = os.read(descriptor, min(_READ_BYTES, count - len(received)))
            if not piece:
                raise EOFError
            received += piece
    return bytes(received)


def _resident_bytes(process: subprocess.Popen[bytes] | None) -> int:
    """What the process holds in memory; 0 where the system does not say."""
    if process is None:
        return 0
    try:
        pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
