"""`zhiku eval`: how well the index finds what golden questions ask for."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kbcore.errors import ConfigurationError
from services.cli.connect import AsOption, JsonOption, connect
from services.cli.measuring import finished, measured

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
            found = finished(client, str(show))
        else:
            order = {"generation": generation, "compare_with": compare_with, "gate": _gate(min_ndcg, max_drop)}
            found = measured(client, golden_set, space, order, console)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _show(found, console)
    if found["passed"] is False or found["report"]["leaks"]:
        raise typer.Exit(1)


def _gate(min_ndcg: float | None, max_drop: float | None) -> dict[str, float] | None:
    given = {"min_ndcg": min_ndcg, "max_drop": max_drop}
    return {name: value for name, value in given.items() if value is not None} or None


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
    if report["unanswerable"]:
        console.print(f"{report['unanswerable']} questions have no answer: for `zhiku calibrate`, in no mean here")
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
