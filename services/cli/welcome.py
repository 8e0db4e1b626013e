"""What a person sees once everything is up: the first key, the sample company, how to go on."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from kbcore.settings import Settings, child_environment, given_key
from services.supervisor.parts import local_url


def welcome(out: Console, settings: Settings, addresses: Mapping[str, str], *, demo: bool, detached: bool) -> None:
    """Make the first administrator if there is none, run the demo if asked, say where things are."""
    url = local_url(settings)
    key = _first_key(settings, addresses)
    if key:
        out.print(f"\nThe administrator's API key, shown now and never again:\n  [bold]{key}[/bold]\n", soft_wrap=True)
    if demo:
        _demo(out, settings, url, key)
    out.print(f"[bold]Zhiku is ready:[/bold] {url}", soft_wrap=True)
    out.print(f"  data and logs  {settings.home}", soft_wrap=True)
    out.print(f"  to stop        {'zhiku down' if detached else 'Ctrl-C'}")


def _first_key(settings: Settings, addresses: Mapping[str, str]) -> str | None:
    from kbcore.metadata.database import Database  # noqa: PLC0415 (SQLAlchemy loads while the servers start)
    from services.library.first_admin import create_first_admin  # noqa: PLC0415

    database = Database(addresses.get("ZHIKU_DATABASE__URL") or settings.database.url.get_secret_value(), pool_size=1)
    try:
        return create_first_admin(database)
    finally:
        database.dispose()


def _demo(out: Console, settings: Settings, url: str, new_key: str | None) -> None:
    credentials = settings.home / "credentials.json"
    if new_key:
        write_credentials(credentials, {"url": url, "admin": new_key})
    elif not credentials.exists() and not given_key():
        out.print(
            "[yellow]note:[/yellow] the sample company needs the administrator's key; run `ZHIKU_KEY=zk_… zhiku demo`"
        )
        return
    shown_before = not new_key and _complete(credentials)
    subprocess.run(  # noqa: S603 (our own words)
        [sys.executable, "-m", "services.demo", *(["--quiet"] if shown_before else [])],
        env=child_environment(ZHIKU_HOME=str(settings.home), ZHIKU_URL=url),
        check=False,
    )


def _complete(credentials: Path) -> bool:
    try:
        return {"admin", "employee", "hr", "finance"} <= set(json.loads(credentials.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False


def write_credentials(file: Path, credentials: Mapping[str, str]) -> None:
    """Replace the file of keys in one step; only this user can read it."""
    fresh = file.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        json.dump(dict(credentials), stream, indent=2)
    fresh.replace(file)
