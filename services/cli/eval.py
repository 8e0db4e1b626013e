"""`zhiku eval`: how well the index finds what golden questions ask for."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kbcore.errors import ConfigurationError
from services.cli.client import ApiError, Client
from services.cli.connect import AsOption, JsonOption, connect
from services.cli.golden_file import SUFFIXES, read_golden_file

POLL_S = 0.3
_FIGURES = {"ndcg_10": "nDCG@10", "recall_5": "recall@5", "recall_10": "recall@10", "mrr": "MRR"}


def command(
    golden_set: Annotated[
        str | None, typer.Argument(metavar="SET", help="A golden set's name, or a .jsonl or .json file.")
    ] = None,
    space: Annotated[str | None, typer.Option("--space", "-s", help="A file's external ids are of this space.")] = None,
    generation: Annotated[int | None, typer.Option(help="The index to judge; the live one if left out.")] = None,
    compare_with: Annotated[int | None, typer.Option(help="The index to compare with.")] = None,
    min_ndcg: Annotated[float | None, typer.Option(min=0, max=1, help="A gate: lowest mean nDCG@10.")] = None,
    max_drop: Annotated[
        float | None, typer.Option(min=0, max=1, help="A gate: most that it may lose against --compare-with.")
    ] = None,
    show: Annotated[str | None, typer.Option(metavar="ID", help="Only show an earlier evaluation.")] = None,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure an index on golden questions: figures, latency, permission trials, what got worse.

    Exit code 1 if a gate is refused, or somebody was shown what it may not read.
    """
    if (golden_set is None) == (show is None):
        raise ConfigurationError("name a golden set or a file of questions, or an evaluation with --show")
    console = Console(highlight=False, stderr=as_json)
    with connect(person) as client:
        if golden_set is None:
            found = _finished(client, str(show))
        else:
            name = _upload(client, Path(golden_set), space) if golden_set.endswith(SUFFIXES) else golden_set
            order = {"set": name, "generation": generation, "compare_with": compare_with}
            found = _measured(client, {**order, "gate": _gate(min_ndcg, max_drop)}, console)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _show(found, console)
    if found["passed"] is False or found["report"]["leaks"]:
        raise typer.Exit(1)


def _gate(min_ndcg: float | None, max_drop: float | None) -> dict[str, float] | None:
    given = {"min_ndcg": min_ndcg, "max_drop": max_drop}
    return {name: value for name, value in given.items() if value is not None} or None


def _upload(client: Client, file: Path, space: str | None) -> str:
    """Make a set of the file, named after it; a set of this name with the same questions is used again."""
    if not file.is_file():
        raise ConfigurationError(f"there is no file {file}")
    questions = read_golden_file(file, space)
    try:
        client.call("POST", "/v1/golden-sets", body={"name": file.stem, "questions": questions}, timeout_s=120)
    except ApiError as refusal:
        if refusal.code != "name_taken":
            raise
        kept = client.call("GET", f"/v1/golden-sets/{file.stem}")["questions"]
        if [item["question"] for item in kept] != [item["question"].strip() for item in questions]:
            raise ConfigurationError(
                f"there is a golden set {file.stem!r} with other questions: rename the file, or delete that set"
            ) from None
    return file.stem


def _measured(client: Client, order: dict[str, Any], console: Console) -> dict[str, Any]:
    """Order the evaluation and wait for it. Raises `ApiError` with the job's reason if it fails."""
    ordered = client.call("POST", "/v1/evaluations", body=order)
    with console.status("measuring") as status:
        while not (job := client.job(ordered["job_id"])).ended:
            status.update(f"measuring: {job.stage} {job.done}/{job.total}")
            time.sleep(POLL_S)
    if job.state != "succeeded":
        reason = job.error
        raise ApiError(200, reason.code if reason else job.state, reason.detail if reason else f"it was {job.state}")
    return _finished(client, ordered["id"])


def _finished(client: Client, evaluation_id: str) -> dict[str, Any]:
    found: dict[str, Any] = client.call("GET", f"/v1/evaluations/{evaluation_id}")
    if found["report"] is None:
        raise ConfigurationError(f"this evaluation has not finished; its job: zhiku jobs {found['job_id']}")
    return found


def _show(found: dict[str, Any], console: Console) -> None:
    report = found["report"]
    sides = [side for side in (report["generation"], report["baseline"]) if side is not None]
    table = Table(box=None, pad_edge=False)
    table.add_column(f"{report['questions']} questions")
    for side in sides:
        table.add_column(str(side["index"]), justify="right")
    for key, title in _FIGURES.items():
        table.add_row(title, *(f"{side['figures'][key]:.3f}" for side in sides))
    table.add_row("p50 / p95 ms", *(f"{side['p50_ms']:.0f} / {side['p95_ms']:.0f}" for side in sides))
    table.add_row("hits refused by SQL", *(str(side["hits_refused"]) for side in sides))
    table.add_row(f"leaks in {report['trials']} trials", *(str(side["leaks"]) for side in sides))
    console.print(table)
    if report["drop"] is not None:
        console.print(f"nDCG@10 {0.0 - report['drop']:+.3f}, p = {report['p_value']:.3f}")
    if report["left_out"]:
        console.print(f"{len(report['left_out'])} questions could not be judged", style="yellow")
    if report["withheld"]:
        console.print(f"{report['withheld']} questions are about documents that you may not read", style="yellow")
    if report["worse"]:
        console.print(_worse(report["worse"]))
    if found["passed"] is not None:
        console.print(_verdict(report["refused_because"]))


def _worse(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, title="Worse than before (nDCG@10)", title_justify="left")
    table.add_column("before", justify="right")
    table.add_column("now", justify="right")
    table.add_column("question")
    for row in rows:
        before, now = row["baseline"]["ndcg_10"], row["figures"]["ndcg_10"]
        table.add_row(f"{before:.3f}", f"{now:.3f}", Text(row["question"]))
    return table


def _verdict(reasons: list[str]) -> Text:
    if not reasons:
        return Text("The gate is open.", style="green")
    return Text(f"The gate is shut: {', '.join(reasons)}.", style="red")
