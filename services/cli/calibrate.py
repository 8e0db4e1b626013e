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
_LEGEND = (
    "questions with an answer/without one, and how many of them are kept/refused; what is proposed is judged by "
    "questions that it was not made from"
)


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
    """Calibrate "I don't know": weigh questions with and without an answer, propose the thresholds of `answer`.

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
    console.print(_thresholds(calibration["gates"]))
    console.print()
    console.print(_languages(calibration["languages"]))
    console.print(_LEGEND, style="dim")
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
    """What passes all thresholds."""
    table = _table("all together", "questions", "now: kept/refused", "proposed: kept/refused")
    for row in rows:
        shares = (_shares(row["with_in_force"]), _shares(row["with_proposed"]))
        table.add_row(_LANGUAGES[row["language"]], _counts(row), *shares)
    return table


def _thresholds(rows: list[dict[str, Any]]) -> Table:
    table = _table("[answer]", "questions", "AUC", "now", "kept/refused", "proposed", "kept/refused")
    for row in rows:
        proposed = ("too few", "") if row["proposed"] is None else (row["proposed"], _shares(row["with_proposed"]))
        table.add_row(
            row["setting"],
            _counts(row),
            "–" if row["auc"] is None else f"{row['auc']:.3f}",
            str(row["in_force"]),
            _shares(row["with_in_force"]),
            *map(str, proposed),
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
    table.add_column(Text(first), no_wrap=True)
    for title in others:
        table.add_column(title, justify="right")
    return table


def _counts(row: dict[str, Any]) -> str:
    return f"{row['answerable']}/{row['unanswerable']}" + (" made" if row["made"] else "")


def _shares(row: dict[str, Any]) -> str:
    return "/".join("–" if row[name] is None else f"{100 * row[name]:.0f}%" for name in ("kept", "refused"))
