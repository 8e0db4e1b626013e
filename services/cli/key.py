"""`zhiku key NAME`: a new API key, from the machine that holds the data; the way back when all keys are lost."""

import json
from typing import Annotated

import typer
from rich.console import Console

from kbcore.bootstrap import audit_trail
from kbcore.errors import ConfigurationError, RequestError
from kbcore.metadata.database import Database
from kbcore.settings import load_settings
from services.auth.first_admin import local_key
from services.supervisor.folder import DataFolder
from services.supervisor.state import State


def command(
    name: Annotated[str, typer.Argument(help="Whose key: the person's name.")] = "admin",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a new API key without asking for an old one (needs the data folder, not the network)."""
    settings = load_settings()
    state = State.read(DataFolder(settings.home).state)
    url = settings.database.url.get_secret_value() or (state.addresses.get("ZHIKU_DATABASE__URL") if state else None)
    if not url:
        raise ConfigurationError(f"Zhiku is not running on {settings.home}; start it first: zhiku up")
    database = Database(url, pool_size=1)
    try:
        token = local_key(database, audit_trail(settings, database), name)
    except RequestError as error:
        raise ConfigurationError(error.detail) from None
    finally:
        database.dispose()
    if as_json:
        typer.echo(json.dumps({"name": name, "key": token}))
    else:
        Console(highlight=False).print(f"A new key of {name}, shown now and never again:\n  {token}", soft_wrap=True)
