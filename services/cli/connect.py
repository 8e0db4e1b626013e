"""From the command line's options, the environment and credentials.json to a connected client."""

from typing import Annotated

import typer

from kbcore.errors import ConfigurationError
from kbcore.settings import Settings, given_key, given_url, load_settings
from services.cli.client import Client
from services.cli.credentials import credentials_file, read_credentials
from services.supervisor.folder import DataFolder
from services.supervisor.parts import local_url
from services.supervisor.state import State

AsOption = Annotated[
    str | None,
    typer.Option("--as", metavar="PERSON", help="Use a sample person's key: admin, employee, hr, finance."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]
DocumentArgument = Annotated[
    str, typer.Argument(metavar="DOC", help="A document's id; with --space, its external id (for files, their path).")
]
SpaceOfDocumentOption = Annotated[
    str | None, typer.Option("--space", "-s", metavar="SPACE", help="The space in which DOC is an external id.")
]
AsOfOption = Annotated[
    str | None,
    typer.Option(metavar="MOMENT", help="A time, snapshot:NAME or epoch:N: the documents as they were then."),
]
EffectiveOption = Annotated[
    str | None, typer.Option(metavar="TIME", help="What was, or will be, in force then (2025-06-01T00:00:00+08:00).")
]
SpacesOption = Annotated[
    list[str] | None, typer.Option("--space", "-s", metavar="SPACE", help="Only this space; may be repeated.")
]


def moment_of(as_of: str | None, effective_at: str | None) -> dict[str, str]:
    """The two options as the API takes them."""
    given = {"as_of": as_of, "effective_at": effective_at}
    return {name: value for name, value in given.items() if value is not None}


def address(settings: Settings) -> str:
    """The server to talk to: $ZHIKU_URL, else the one that runs from this data folder, else the configured port."""
    state = State.read(DataFolder(settings.home).state)
    return given_url() or (state.url if state and state.running else local_url(settings))


def connect(person: str | None) -> Client:
    """A client as `person`; else with $ZHIKU_KEY, else with the admin key of credentials.json.

    Raises `ConfigurationError` when there is no key, saying where one comes from.
    """
    settings = load_settings()
    url = address(settings)
    file = credentials_file(settings.home)
    stored = read_credentials(settings.home)
    key = given_key() or stored.get("admin")
    if person is not None:
        key = stored.get(person)
        if key is None or person == "url":
            known = ", ".join(sorted(stored.keys() - {"url"})) or "nobody yet; `make demo` creates them"
            raise ConfigurationError(f"no key of {person!r} in {file}; it has: {known}")
    key = (key or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigurationError("ZHIKU_KEY has a character that no API key has")
    if not key:
        raise ConfigurationError(f"no API key: set ZHIKU_KEY, or make the sample people with `make demo` ({file})")
    return Client(url, key)
