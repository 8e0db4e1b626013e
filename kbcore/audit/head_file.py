"""Heads in a file: one line of JSON each, only ever appended to."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kbcore.audit.heads import Head
from kbcore.errors import Unavailable

_TAIL_BYTES = 4096
_MOST_OF_A_LINE = 4096


class HeadFile:
    """The file `heads.jsonl` in a folder. Keep the folder where whoever may write to the database can't."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "heads.jsonl"

    def write(self, head: Head) -> None:
        """See `HeadStore.write`: one write of one whole line, then fsync."""
        line = json.dumps(head.to_json(), sort_keys=True) + "\n"
        with _file_errors():
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                # A line that a killed process left half written must not swallow this one.
                whole = (b"" if self._ends_whole() else b"\n") + line.encode()
                _append(file.fileno(), whole)

    def read(self) -> Iterator[Head | None]:
        """See `HeadStore.read`."""
        with _file_errors():
            if not self._path.exists():
                return
            file = self._path.open("rb")
        with file:
            while True:
                with _file_errors():
                    line = file.readline(_MOST_OF_A_LINE)
                if not line:
                    return
                if line.strip():
                    yield _parsed(line)

    def last(self) -> Head | None:
        """See `HeadStore.last`."""
        with _file_errors():
            if not self._path.exists():
                return None
            lines = self._tail().split(b"\n")
        whole = [line for line in lines if line.strip()]
        return _parsed(whole[-1]) if whole else None

    def _ends_whole(self) -> bool:
        return not self._path.exists() or self._tail()[-1:] in (b"", b"\n")

    def _tail(self) -> bytes:
        with self._path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return file.read()


def _append(file: int, line: bytes) -> None:
    """All of the line, durable, or nothing: half of one, on a full disk, would look like a head that was forged."""
    before = os.fstat(file).st_size
    try:
        while line:
            line = line[os.write(file, line) :]
        os.fsync(file)
    except OSError:
        with suppress(OSError):  # a file that may only be appended to keeps it
            os.ftruncate(file, before)
        raise


def _parsed(line: bytes) -> Head | None:
    try:
        return Head.from_json(json.loads(line))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


@contextmanager
def _file_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"The file of audit heads cannot be used ({error.strerror}).") from error
