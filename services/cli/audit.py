"""`zhiku audit`: read the audit log, verify that nobody has changed it."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console

from services.cli.connect import AsOption, JsonOption, connect

_VERIFY_TIMEOUT_S = 3600.0


class Action(StrEnum):
    """What to do."""

    LIST = "list"
    VERIFY = "verify"


def command(
    action: Annotated[Action, typer.Argument(help="Without one: list.")] = Action.LIST,
    actor: Annotated[str | None, typer.Option(help="Only what this user did: name or id.")] = None,
    document: Annotated[str | None, typer.Option(help="Only what was done with this document: its id.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind (policy.changed), or all of it (policy).")] = None,
    trace: Annotated[str | None, typer.Option(help="Only what one request did: its trace id.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="From then on (2026-06-01T00:00:00Z).")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before then.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20,
    new: Annotated[bool, typer.Option("--new", help="Verify only what came since the last exported head.")] = False,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was done, newest first (list), or recompute the whole chain (verify).

    For auditors and administrators. Exit code 1 if the chain is broken.
    """
    with connect(person) as client:
        if action is Action.VERIFY:
            body = {"since_last_head": new}
            verdict = client.call("POST", "/v1/audit/verify", body=body, timeout_s=_VERIFY_TIMEOUT_S)
            _show_verdict(verdict, as_json=as_json)
            return
        given = {"actor": actor, "document": document, "kind": kind, "trace": trace, "since": since, "until": until}
        query: dict[str, str | int] = {name: value for name, value in given.items() if value is not None}
        events = client.call("GET", "/v1/audit", query={**query, "limit": limit})["items"]
    if as_json:
        typer.echo(json.dumps(events, ensure_ascii=False, indent=2))
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for event in events:
        console.print(_line(event))


def _show_verdict(verdict: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(verdict, ensure_ascii=False, indent=2))
    else:
        seen = f"{verdict['records']:,} records, {verdict['heads_checked']:,} exported heads"
        broken = verdict["first_broken"]
        said = f"[green]unchanged[/green]: {seen}"
        if broken:
            said = f"[red]broken[/red] at record {broken['seq']} ({broken['why']}): {seen}"
        Console(highlight=False, soft_wrap=True).print(said)
    if not verdict["ok"]:
        raise typer.Exit(1)


def _line(event: Mapping[str, Any]) -> str:
    who = event["actor_name"] or event["actor"] or "-"
    if event["acting"]:
        who = f"{event['acting_name'] or event['acting']} for {who}"
    documents = " ".join(event["documents"][:3]) + (" …" if len(event["documents"]) > 3 else "")
    detail = json.dumps(event["detail"], ensure_ascii=False, separators=(",", ":"))
    return f"{event['seq']:>8}  {event['at'][:19]}  {event['kind']:22}  {who}  {documents}  {detail}"
