"""From the command line's options, the environment and credentials.json to a connected client."""

from typing import Annotated

import typer

from kbcore.errors import ConfigurationError
from kbcore.settings import given_key, given_url, load_settings
from services.cli.client import Client
from services.cli.credentials import credentials_file, read_credentials

AsOption = Annotated[
    str | None,
    typer.Option("--as", metavar="PERSON", help="Use a sample person's key: admin, employee, hr, finance."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]
SpacesOption = Annotated[
    list[str] | None, typer.Option("--space", "-s", metavar="SPACE", help="Only this space; may be repeated.")
]


def connect(person: str | None) -> Client:
    """A client as `person`; else with $ZHIKU_KEY, else with the admin key of credentials.json.

    Raises `ConfigurationError` when there is no key, saying where one comes from.
    """
    settings = load_settings()
    key = given_key()
    stored = read_credentials(settings.home)
    url = given_url() or stored.get("url") or f"http://{settings.server.host}:{settings.server.port}"
    if person is not None:
        key = stored.get(person)
        if key is None or person == "url":
            known = ", ".join(sorted(stored.keys() - {"url"})) or "nobody yet; `make demo` creates them"
            raise ConfigurationError(f"no key of {person!r} in {credentials_file(settings.home)}; it has: {known}")
    key = key or stored.get("admin")
    if not key:
        raise ConfigurationError(
            f"no API key: set ZHIKU_KEY, or make the sample people with `make demo`: {credentials_file(settings.home)}"
        )
    return Client(url, key)
