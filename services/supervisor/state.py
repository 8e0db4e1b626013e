"""What runs at the moment, in `run/state.json`: for `status`, `down`, and the start after a crash."""

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from kbcore.errors import ConfigurationError
from services.supervisor.process import ProcessId

Phase = Literal["starting", "ready", "stopping"]


@dataclass(frozen=True)
class ChildState:
    """One child process; `stop_signal` ends it cleanly."""

    process: ProcessId
    stop_signal: int
    restarts: int = 0

    def stop(self) -> None:
        """Stop the process if it still runs."""
        self.process.stop(signal.Signals(self.stop_signal), timeout_s=30)


@dataclass(frozen=True)
class State:
    """A supervisor and its children, in the order in which they were started."""

    supervisor: ProcessId
    url: str
    phase: Phase = "starting"
    children: Mapping[str, ChildState] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that name the embedded servers."""

    def write(self, file: Path) -> None:
        """Replace the file in one step; only this user can read it."""
        fresh = file.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(asdict(self), stream, indent=2)
        fresh.replace(file)

    @classmethod
    def read(cls, file: Path) -> "State | None":
        """The state, or None when there is none or it can't be understood (a version from the future, a full disk).

        Raises `ConfigurationError` in somebody else's data folder.
        """
        try:
            tree: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            children = {
                name: ChildState(ProcessId(**child["process"]), child["stop_signal"], child["restarts"])
                for name, child in tree["children"].items()
            }
            return cls(ProcessId(**tree["supervisor"]), tree["url"], tree["phase"], children, tree["addresses"])
        except PermissionError:
            raise ConfigurationError(
                f"{file.parent.parent} is another user's data folder; set ZHIKU_HOME to a folder of yours"
            ) from None
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    @property
    def running(self) -> bool:
        """True while the supervisor lives."""
        return self.supervisor.find() is not None

    def stop_children(self) -> list[str]:
        """Stop what a killed supervisor left behind, last started first; returns their names."""
        left = [name for name, child in reversed(list(self.children.items())) if child.process.find()]
        for name in left:
            self.children[name].stop()
        return left
