"""`zhiku reindex`: build another index beside the live one, switch to it, go back."""

import json
import time
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kbcore.errors import ConfigurationError
from services.cli.client import Client
from services.cli.connect import AsOption, JsonOption, SpacesOption, connect

_POLL_S = 0.5
_SWITCH_TIMEOUT_S = 90.0


class Action(StrEnum):
    """What to do."""

    START = "start"
    LIST = "list"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    DROP = "drop"
    REPAIR = "repair"


def command(
    action: Annotated[Action, typer.Argument(help="Without one: start.")] = Action.START,
    index: Annotated[
        int | None, typer.Argument(help="The index, as `list` shows it; default: the obvious one.")
    ] = None,
    embedding: Annotated[
        str | None, typer.Option(help="default, bundled, or an entry of [[embedding_profiles]].")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Largest passage.")] = None,
    min_tokens: Annotated[int | None, typer.Option(help="Smaller neighbours are joined.")] = None,
    analyzer: Annotated[str | None, typer.Option(help="mixed-1 or words-1.")] = None,
    space: SpacesOption = None,
    reparse: Annotated[bool, typer.Option("--reparse", help="Also read the original files again.")] = False,
    gate: Annotated[str | None, typer.Option(help="The golden set that decides whether it may go live.")] = None,
    max_drop: Annotated[float, typer.Option(help="Most that nDCG@10 may fall behind the live index.")] = 0.02,
    min_ndcg: Annotated[float | None, typer.Option(help="Least nDCG@10.")] = None,
    promote: Annotated[bool, typer.Option("--promote", help="Let it go live as soon as it may.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Don't wait until it is built.")] = False,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build another index from the stored text (start), see all (list), switch (promote, rollback), drop or repair one.

    Questions are answered from the live index all the time. Exit code 1 if it fails or the gate refuses.
    """
    body: dict[str, Any] = {"embedding": embedding, "analyzer": analyzer, "spaces": space or None, "reparse": reparse}
    body["chunking"] = {"max_tokens": max_tokens, "min_tokens": min_tokens}
    if gate is not None:
        body["gate"] = {"set": gate, "max_drop": max_drop, "min_ndcg": min_ndcg}
    console = Console(highlight=False, soft_wrap=True, stderr=as_json)
    with connect(person) as client:
        if action is Action.START:
            shown = _start(client, body, console, promote=promote, detach=detach)
        else:
            shown = _do(client, action, index)
        if as_json:
            typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
            return
        for each in shown if isinstance(shown, list) else [shown]:
            console.print(line(each))


def line(shown: dict[str, Any]) -> str:
    """One index, or one job, on a line."""
    if "collection" not in shown:
        return f"job {shown['job_id']}" if "job_id" in shown else f"{shown['kind']} {shown['state']}"
    cut = ", ".join(f"{name} {value}" for name, value in sorted(shown["chunking"].items()))
    lag = f", {shown['lag']} publications behind" if shown["lag"] else ""
    return (
        f"{shown['id']:>4}  {shown['state']:<9} {shown['embedding']}  {shown['analyzer']}  {cut}  "
        f"{shown['documents']} documents, {shown['rows']} passages{lag}"
    )


def _start(client: Client, body: dict[str, Any], console: Console, *, promote: bool, detach: bool) -> dict[str, Any]:
    started: dict[str, Any] = client.call("POST", "/v1/reindex", body=body)
    if detach:
        return {"job_id": started["job_id"], **started}
    _follow(client, started["job_id"], "building", console)
    index = _judged(client, started["id"], console)
    if promote:
        index = client.call("POST", f"/v1/reindex/{started['id']}/promote", timeout_s=_SWITCH_TIMEOUT_S)
    return index


def _judged(client: Client, index_id: int, console: Console) -> dict[str, Any]:
    """The index once its gate has been decided, if it has one."""
    index: dict[str, Any] = client.call("GET", f"/v1/indexes/{index_id}")
    if index["evaluation_id"] is not None:
        evaluation = client.call("GET", f"/v1/evaluations/{index['evaluation_id']}")
        _follow(client, evaluation["job_id"], "evaluating", console)
        passed = client.call("GET", f"/v1/evaluations/{index['evaluation_id']}")["passed"]
        console.print(f"gate: {'passed' if passed else 'refused'} (zhiku eval --show {index['evaluation_id']})")
        if not passed:
            raise typer.Exit(1)
    return index


def _do(client: Client, action: Action, index: int | None) -> Any:
    indexes = list(client.items("/v1/indexes"))
    match action:
        case Action.LIST:
            return indexes
        case Action.PROMOTE:
            chosen = _one(indexes, index, "ready")
            return client.call("POST", f"/v1/reindex/{chosen}/promote", timeout_s=_SWITCH_TIMEOUT_S)
        case Action.ROLLBACK:
            chosen = _one(indexes, index, "live")
            return client.call("POST", f"/v1/reindex/{chosen}/rollback", timeout_s=_SWITCH_TIMEOUT_S)
        case Action.DROP:
            return client.call("DELETE", f"/v1/indexes/{_one(indexes, index, 'retired')}")
        case _:
            return client.call("POST", f"/v1/indexes/{_one(indexes, index, 'live')}/reconcile")


def _one(indexes: list[dict[str, Any]], named: int | None, state: str) -> int:
    """The index that is meant; raises `ConfigurationError` when that is not obvious."""
    if named is not None:
        return named
    found = [int(index["id"]) for index in indexes if index["state"] == state]
    if len(found) != 1:
        raise ConfigurationError(f"{len(found)} indexes are {state}: name one (zhiku reindex list)")
    return found[0]


def _follow(client: Client, job_id: str, what: str, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(what, total=None)
        while True:
            job = client.job(job_id)
            progress.update(bar, description=f"{what}: {job.stage}", completed=job.done, total=job.total or None)
            if job.ended:
                break
            time.sleep(_POLL_S)
    if job.state != "succeeded":
        reason = job.error.detail if job.error is not None else job.state
        console.print(f"{what} {job.state}: {reason}", style="red")
        raise typer.Exit(1)
