"""Real servers for the tests: the same embedded ones that `zhiku up` runs, in a temporary folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.supervisor.process import Child, Part


@contextmanager
def running(part: Part, log: Path) -> Iterator[Child]:
    """The part, ready, for the block; stopped by its pid at the end."""
    child = Child(part, log)
    try:
        child.wait_ready()
        yield child
    finally:
        child.stop()
