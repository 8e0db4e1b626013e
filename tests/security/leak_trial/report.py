"""The figures of a trial, as tables."""

from collections.abc import Mapping

from tests.security.leak_trial.driver import Trial
from tests.security.leak_trial.judge import Tally


def table(trial: Trial) -> str:
    """By path and by kind of person, in Markdown."""
    size, judge = trial.size, trial.judge
    head = (
        f"seed {trial.seed}: {len(trial.world.people)} people, {size.groups} groups, {size.spaces} spaces, "
        f"{len(trial.world.documents)} documents, {trial.moved} moves ({trial.refused} refused)"
    )
    return "\n\n".join((head, rows("path", judge.by_path), rows("kind of person", judge.by_kind)))


def rows(what: str, tallies: Mapping[str, Tally]) -> str:
    """A table of tallies with their sum."""
    lines = [
        f"| {what} | requests | decisions | documents shown | leaks | wrongly hidden |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    total = Tally()
    for name, tally in sorted(tallies.items()):
        lines.append(_row(name, tally))
        total.add(tally)
    return "\n".join((*lines, _row("**all**", total)))


def _row(name: str, tally: Tally) -> str:
    return f"| {name} | {tally.requests:,} | {tally.decisions:,} | {tally.shown:,} | {tally.leaks} | {tally.hidden} |"
