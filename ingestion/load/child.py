"""The parsing process: `python -m ingestion.load.child FOLDER MEMORY_BYTES`, asked over stdin, answering on stdout.

A fresh interpreter rather than a fork, so that it holds no connection, key or thread of the worker. It reads one
request, answers it, and waits for the next; it ends when stdin does.
"""

import contextlib
import os
import sys
import time
import traceback
from pathlib import Path
from threading import Thread
from typing import BinaryIO

from ingestion.load.confinement import ConfinementError, confine, limit_cpu
from ingestion.load.frames import error_message, loaded_message, read_frame, write_frame
from ingestion.load.limits import Limits
from ingestion.load.read import read
from kbcore.errors import ItemError, ItemFailed

_RECURSION = 5000
_LOOK_S = 1.0


def main() -> None:
    """Serve until stdin ends."""
    folder, memory_bytes = Path(sys.argv[1]), int(sys.argv[2])
    requests, answers = _own_streams()
    sys.setrecursionlimit(_RECURSION)
    isolated = confine(folder, memory_bytes)
    Thread(target=_end_with, args=(os.getppid(), folder), daemon=True).start()
    write_frame(answers, {"ready": True, "isolated": isolated})
    while (message := read_frame(requests)) is not None:
        limits = Limits(**message["limits"])
        limit_cpu(limits.timeout_s)
        write_frame(answers, _answer(Path(message["path"]), message["file_name"], limits))
    _remove(folder)  # a worker that was killed cannot


def _end_with(parent: int, folder: Path) -> None:
    """A worker that was killed over a long document cannot stop us or tidy up: notice it and do both."""
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    _remove(folder)
    os._exit(1)


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for path in sorted(folder.rglob("*"), reverse=True):  # not rmtree: it names files relative to open folders
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        folder.rmdir()


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes for our messages only: what libraries print goes nowhere."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    return requests, answers


def _answer(path: Path, file_name: str, limits: Limits) -> dict[str, object]:
    try:
        return loaded_message(read(path, file_name, limits))
    except ItemError as error:
        return error_message(error)
    except MemoryError:
        return error_message(memory_exceeded(limits))
    except ConfinementError as error:
        return error_message(ItemFailed("forbidden_action", f"Reading the file was stopped: {error}."))
    except OSError as error:
        return error_message(ItemFailed("broken_file", f"The file could not be read ({error.strerror or error})."))
    except Exception as error:  # noqa: BLE001 — the outermost edge: whatever a parser does costs this document only
        return error_message(
            ItemFailed("parser_error", f"The file could not be parsed ({_place(error)}). Save or export it again.")
        )


def _place(error: Exception) -> str:
    """What went wrong and where, without the document's words."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"


def memory_exceeded(limits: Limits) -> ItemFailed:
    """The reason for a document that needs more memory than it may have."""
    return ItemFailed(
        "parse_memory",
        f"Reading the file needs more than {limits.memory_bytes // 2**20} MiB of memory. Split the document, or raise "
        "parsing.memory_bytes.",
    )


if __name__ == "__main__":
    main()
