"""What a person sees once everything is up: the first key, the sample company, how to go on."""

import subprocess
import sys
import threading
from collections.abc import Mapping

from rich.console import Console

from kbcore.settings import Settings, child_environment, given_key
from services.cli.credentials import PEOPLE, read_credentials, write_credentials
from services.cli.invocation import zhiku_command
from services.supervisor.parts import local_url


def welcome(
    out: Console,
    settings: Settings,
    addresses: Mapping[str, str],
    *,
    demo: bool,
    detached: bool,
    stop: threading.Event,
) -> None:
    """Make the first administrator if there is none, run the demo if asked, say where things are; until `stop`."""
    url = local_url(settings)
    key = _first_key(settings, addresses)
    if key:
        out.print(f"\nThe administrator's API key, shown now and never again:\n  [bold]{key}[/bold]\n", soft_wrap=True)
    if demo:
        _demo(out, settings, url, key, stop)
    if stop.is_set():
        return
    out.print(f"[bold]Zhiku is ready:[/bold] {url}", soft_wrap=True)
    out.print(f"  data and logs  {settings.home}", soft_wrap=True)
    out.print(f"  to stop        {f'{zhiku_command()} down' if detached else 'Ctrl-C'}")


def _first_key(settings: Settings, addresses: Mapping[str, str]) -> str | None:
    from kbcore.bootstrap import audit_trail  # noqa: PLC0415
    from kbcore.metadata.database import Database  # noqa: PLC0415 (SQLAlchemy loads while the servers start)
    from services.auth.first_admin import create_first_admin  # noqa: PLC0415

    database = Database(addresses.get("ZHIKU_DATABASE__URL") or settings.database.url.get_secret_value(), pool_size=1)
    try:
        return create_first_admin(database, audit_trail(settings, database))
    finally:
        database.dispose()


def _demo(out: Console, settings: Settings, url: str, new_key: str | None, stop: threading.Event) -> None:
    known = read_credentials(settings.home)
    if new_key:
        write_credentials(settings.home, {"url": url, "admin": new_key})
    elif "admin" not in known and not given_key():
        out.print(
            "[yellow]note:[/yellow] the sample company needs the administrator's key; "
            f"run `ZHIKU_KEY=zk_… {zhiku_command()} demo`"
        )
        return
    shown_before = not new_key and known.keys() >= set(PEOPLE)
    show = subprocess.Popen(  # noqa: S603 (our own words)
        [sys.executable, "-m", "services.demo", *(["--quiet"] if shown_before else [])],
        env=child_environment(ZHIKU_HOME=str(settings.home), ZHIKU_URL=url),
    )
    while show.poll() is None:
        if stop.wait(0.1):
            show.terminate()
            show.wait()
