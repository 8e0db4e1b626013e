"""`zhiku demo`: the sample company and its show, against a running server."""

from typing import Annotated

import typer

from kbcore.errors import ConfigurationError
from kbcore.settings import given_key, load_settings
from services.cli.connect import address
from services.cli.credentials import read_credentials
from services.demo.run import main


def command(
    quiet: Annotated[bool, typer.Option("--quiet", help="Only load the documents; ask no questions.")] = False,
) -> None:
    """Load the sample company, then ask the same questions as each of its people."""
    settings = load_settings()
    key = given_key() or read_credentials(settings.home).get("admin")
    if key is None:
        raise ConfigurationError("the demo needs the administrator's API key: set ZHIKU_KEY to it")
    main(address(settings), key, settings.home, show=not quiet)
