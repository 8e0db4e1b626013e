"""`zhiku calibrate`: thresholds for "I don't know", from an organisation's own questions and documents."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kbcore.errors import ConfigurationError
from services.cli.connect import AsOption, JsonOption, connect
from services.cli.invocation import zhiku_command
from services.cli.measuring import finished, measured

_LANGUAGES = {"zh": "Chinese", "en": "English"}
_MISTAKES = 20


def command(
    golden_set: Annotated[
        str | None, typer.Argument(metavar="SET", help="A golden set's name, or a .jsonl or .json file.")
    ] = None,
    keep: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of the answerable questions that each threshold keeps.")
    ] = 0.97,
    space: Annotated[str | None, typer.Option("--space", "-s", help="A file's external ids are of this space.")] = None,
    generation: Annotated[int | None, typer.Option(help="The index to weigh with; the live one if left out.")] = None,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Put the proposals into this TOML file, for ZHIKU_CONFIG.")
    ] = None,
    show: Annotated[str | None, typer.Option(metavar="ID", help="Only show an earlier calibration.")] = None,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Calibrate "I don't know": weigh questions with and without an answer, propose thresholds for [answer].

    Questions without an answer have no documents ("documents": []). If a language has none, its questions are weighed a
    second time without the documents that answer them.
    """
    if (golden_set is None) == (show is None):
        raise ConfigurationError("name a golden set or a file of questions, or a calibration with --show")
    console = Console(highlight=False, stderr=as_json)
    with connect(person) as client:
        if golden_set is None:
            found = finished(client, str(show), {"keep": str(keep)})
        else:
            order = {"generation": generation, "calibrate": True}
            found = measured(client, golden_set, space, order, console, {"keep": str(keep)})
    calibration = found["report"]["calibration"]
    if calibration is None:
        raise ConfigurationError("this evaluation did not calibrate")
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _show(calibration, console)
    if write is not None:
        _write(write, calibration, console)


def _write(file: Path, calibration: dict[str, Any], console: Console) -> None:
    from services.cli.config_file import write_section  # noqa: PLC0415 (only to write one)

    proposed = {gate["setting"]: gate["proposed"] for gate in calibration["gates"] if gate["proposed"] is not None}
    if not proposed:
        raise ConfigurationError(f"there is nothing to write into {file}: no threshold is proposed")
    write_section(file, "answer", proposed)
    console.print(f"Written; in force with the next start: ZHIKU_CONFIG={file} {zhiku_command()} up", soft_wrap=True)


def _show(calibration: dict[str, Any], console: Console) -> None:
    console.print(_languages(calibration["languages"]))
    console.print()
    console.print(_thresholds(calibration["gates"]))
    for count, why in (
        (calibration["left_out"], "not weighed: their askers may read what whoever ordered this may not"),
        (calibration["withheld"], "not counted here: they rest on what you may not read"),
    ):
        if count:
            console.print(f"{count} questions {why}", style="yellow")
    if calibration["mistakes"]:
        console.print()
        console.print(_mistakes(calibration["mistakes"]))
    if calibration["configuration"]:
        console.print("\nFor the configuration file:", style="bold")
        console.print(calibration["configuration"].rstrip(), markup=False)
    else:
        console.print("No threshold is proposed: there are too few questions.", style="yellow")


def _languages(rows: list[dict[str, Any]]) -> Table:
    table = _table("questions", "with answer", "without", "kept now", "refused now", "kept", "refused")
    for row in rows:
        now, then = row["with_in_force"], row["with_proposed"]
        shares = (now["kept"], now["refused"], then["kept"], then["refused"])
        table.add_row(_LANGUAGES[row["language"]], str(row["answerable"]), _without(row), *map(_percent, shares))
    return table


def _thresholds(rows: list[dict[str, Any]]) -> Table:
    titles = ("with answer", "without", "AUC", "now", "kept now", "refused now", "proposed", "kept", "refused")
    table = _table("threshold", *titles)
    for row in rows:
        now, then = row["with_in_force"], row["with_proposed"]
        proposed = ("too few", "", "")
        if then is not None:
            proposed = (f"{row['proposed']:.4f}", _percent(then["kept"]), _percent(then["refused"]))
        table.add_row(
            row["setting"],
            str(row["answerable"]),
            _without(row),
            "–" if row["auc"] is None else f"{row['auc']:.3f}",
            f"{row['in_force']:.4f}",
            _percent(now["kept"]),
            _percent(now["refused"]),
            *proposed,
        )
    return table


def _mistakes(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, title="On the wrong side of what is proposed", title_justify="left")
    table.add_column("what happens")
    table.add_column("question")
    for row in rows[:_MISTAKES]:
        what = f"refused by {row['refused_by'] or 'no threshold'}" if row["answerable"] else "let through"
        table.add_row(f"{what} (its documents left out)" if row["made"] else what, Text(row["question"]))
    if len(rows) > _MISTAKES:
        table.add_row("", f"and {len(rows) - _MISTAKES} more: --json")
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first)
    for title in others:
        table.add_column(title, justify="right")
    return table


def _without(row: dict[str, Any]) -> str:
    return f"{row['unanswerable']} (made)" if row["made"] else str(row["unanswerable"])


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"
