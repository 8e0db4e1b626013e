"""`$ZHIKU_HOME/credentials.json`: the address and the sample people's keys, readable by its owner alone."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from kbcore.errors import ConfigurationError

PEOPLE = ("admin", "employee", "hr", "finance")


def credentials_file(home: Path) -> Path:
    """Where the file is."""
    return home / "credentials.json"


def read_credentials(home: Path) -> dict[str, str]:
    """`url` and the keys by person; empty if there is no file. Raises `ConfigurationError` if it can't be read."""
    file = credentials_file(home)
    try:
        content = dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{file} cannot be read ({type(error).__name__}); remove it and run `make demo`"
        ) from None
    return {str(name): str(value) for name, value in content.items()}


def write_credentials(home: Path, values: Mapping[str, str]) -> None:
    """Replace the file in one step; mode 0600 from its first byte."""
    file = credentials_file(home)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = file.with_suffix(".part")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(dict(values), out, indent=2)
        out.write("\n")
        out.flush()
        os.fsync(out.fileno())
    partial.replace(file)
