"""`zhiku demo`: the sample company and its show, against a running server."""

from typing import Annotated

import typer

from kbcore.errors import ConfigurationError
from kbcore.settings import given_key, given_url, load_settings
from services.cli.credentials import read_credentials


def command(
    quiet: Annotated[bool, typer.Option("--quiet", help="Only load the documents; ask no questions.")] = False,
) -> None:
    """Load the sample company, then ask the same questions as each of its people."""
    from services.demo import main  # noqa: PLC0415 (reads the samples' manifest)

    settings = load_settings()
    stored = read_credentials(settings.home)
    url = given_url() or stored.get("url") or f"http://{settings.server.host}:{settings.server.port}"
    key = given_key() or stored.get("admin")
    if key is None:
        raise ConfigurationError("the demo needs the administrator's API key: set ZHIKU_KEY to it")
    main(url, key, settings.home, show=not quiet)
