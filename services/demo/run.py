"""The demo from start to end: company, keys, documents, show, how to go on."""

import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from services.cli.batch import Ended, Outcome, summary
from services.cli.client import Client
from services.cli.credentials import credentials_file, read_credentials, write_credentials
from services.cli.invocation import short_path, zhiku_command
from services.demo.ingest import ingest_samples
from services.demo.manifest import manifest
from services.demo.people import keys_of, make_company
from services.demo.show import show as show_answers

WIDTH_OF_FILES = 100  # columns, when the output is no terminal


def main(url: str, admin_key: str, home: Path, *, show: bool) -> None:
    """Fill the server at `url` with the sample company and, if `show`, ask its questions as everybody.

    Safe to run again: what is there is left alone. The keys are in `home`/credentials.json. Raises `ApiError`,
    `ServerNotRunningError`, `ConfigurationError`.
    """
    console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_FILES, highlight=False)
    company = manifest()
    with Client(url, admin_key) as admin:
        make_company(admin, company)
        keys = {"admin": admin_key, **keys_of(admin, company, read_credentials(home))}
        write_credentials(home, {"url": url, **keys})
        outcomes = ingest_samples(admin, company, console)
    console.print(f"[bold]sample company:[/bold] {summary(outcomes)}")
    for outcome in outcomes:
        _explain(outcome, console)
    if show:
        people = [*(person.name for person in company.people), "admin"]
        console.print()
        show_answers(url, {person: keys[person] for person in people}, company.questions, console)
    _go_on(url, home, console)


def _explain(outcome: Outcome, console: Console) -> None:
    if outcome.ended in {Ended.FAILED, Ended.SKIPPED}:
        console.print(
            Text(f"  {outcome.ended}  {outcome.item.label}  {outcome.reason}", style="yellow"), soft_wrap=True
        )


def _go_on(url: str, home: Path, console: Console) -> None:
    command = zhiku_command()
    for line in (
        f"Keys of admin, employee, hr, finance: {short_path(credentials_file(home))} (only you can read it)",
        "Go on:",
        f"  open {url}/ and sign in with one of the keys",
        f'  {command} ask "年假可以结转吗？" --as employee',
        f"  {command} search E1042 --as employee",
        f"  {command} ingest FOLDER --space public",
    ):
        console.print(line, markup=False, soft_wrap=True)
