"""Writing settings into a configuration file, which stays as it is otherwise: comments, order, everything."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import tomlkit
from tomlkit.container import Container
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable

from kbcore.errors import ConfigurationError


def write_section(file: Path, section: str, values: Mapping[str, float]) -> None:
    """Set these keys of `[section]` in a TOML file, which is made if it is not there; all of it or nothing.

    Raises `ConfigurationError` for a file that is not TOML.
    """
    try:
        # Bytes, because reading text would make other line ends of the file's own.
        document = tomlkit.parse(file.read_bytes() if file.exists() else b"")
        table = document.setdefault(section, tomlkit.table())
        if not isinstance(table, Container | AbstractTable):
            raise ConfigurationError(f"{file}: {section} is not a table")
        table.update(values)
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {error}") from None
    _replace(file.resolve(), tomlkit.dumps(document).encode())


def _replace(file: Path, content: bytes) -> None:
    """Whoever reads it meanwhile has the old one or the new one, under the same rights."""
    new = file.with_name(f".{file.name}.new")
    if file.exists():
        shutil.copy(file, new)  # for its mode: the file may hold secrets
    new.write_bytes(content)
    os.replace(new, file)
