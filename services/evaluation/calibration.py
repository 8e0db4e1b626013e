"""Calibration: what the thresholds of `[answer]` keep and refuse, and which ones the evidence suggests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from kbcore.settings import AnswerSettings
from services.evaluation.evidence import SETTINGS, Thresholds, Weighed
from services.evaluation.thresholds import Scored, auc, enough, threshold, without_itself

KEEP = 0.97
"""The share of the answerable questions that each threshold is to keep, unless somebody says otherwise."""


@dataclass(frozen=True, slots=True)
class Share:
    """What is kept of the answerable questions and refused of the others, each 0 to 1; None if there are none."""

    kept: float | None
    refused: float | None


@dataclass(frozen=True, slots=True)
class GateReport:
    """One threshold, on the questions that it decides: `made` of the unanswerable ones were made.

    `proposed` is None where they are too few; `with_proposed` is judged by cross-validation.
    """

    setting: str
    answerable: int
    unanswerable: int
    made: int
    auc: float | None
    in_force: float
    with_in_force: Share
    proposed: float | None
    with_proposed: Share | None


@dataclass(frozen=True, slots=True)
class LanguageReport:
    """All questions of a language through both gates: as they are, and with what is proposed, where anything is.

    `with_proposed` is judged by cross-validation.
    """

    language: str
    answerable: int
    unanswerable: int
    made: int
    with_in_force: Share
    with_proposed: Share


@dataclass(frozen=True, slots=True)
class Mistake:
    """A question on the wrong side of the proposed thresholds: refused, though answerable, or let through.

    `refused_by` names the threshold; None where none decided.
    """

    id: str
    answerable: bool
    made: bool
    refused_by: str | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """The whole, for one share to `keep`."""

    keep: float
    gates: list[GateReport]
    languages: list[LanguageReport]
    mistakes: list[Mistake]

    @property
    def proposed(self) -> dict[str, float]:
        """The thresholds that there are proposals for."""
        return {gate.setting: gate.proposed for gate in self.gates if gate.proposed is not None}


def calibrate(weighed: Sequence[Weighed], settings: AnswerSettings, keep: float) -> Calibration:
    """Judge the thresholds in force, and propose ones that each keep at least `keep` (0 to 1) of what it decides."""
    in_force: dict[str, float] = {name: getattr(settings, name) for name in SETTINGS}
    scored = {name: rows for name in SETTINGS if (rows := _scored(weighed, name))}
    proposed = {name: threshold(rows, keep) for name, rows in scored.items() if enough(rows)}
    apart = {name: without_itself(scored[name], keep) for name in proposed}

    def by_others(row: Weighed) -> Thresholds:
        """What would be proposed if this question were not there."""
        return in_force | {name: fitted[row.id] for name, fitted in apart.items() if row.id in fitted}

    return Calibration(
        keep=keep,
        gates=[_gate(weighed, name, rows, in_force, proposed.get(name), by_others) for name, rows in scored.items()],
        languages=[
            _language(language, [row for row in weighed if row.language == language], in_force, by_others)
            for language in sorted({row.language for row in weighed})
        ],
        mistakes=_mistakes(weighed, in_force | proposed),
    )


def configuration(proposed: Mapping[str, float]) -> str:
    """The proposals as they stand in a configuration file; empty if there are none."""
    return "".join(("[answer]\n", *(f"{name} = {value}\n" for name, value in proposed.items()))) if proposed else ""


def _scored(weighed: Sequence[Weighed], setting: str) -> list[Scored]:
    return [
        Scored(row.id, gate.score, row.answerable)
        for row in weighed
        for gate in (row.passage, row.quote)
        if gate.setting == setting
    ]


def _gate(
    weighed: Sequence[Weighed],
    setting: str,
    scored: Sequence[Scored],
    in_force: Thresholds,
    proposed: float | None,
    by_others: Callable[[Weighed], Thresholds],
) -> GateReport:
    seen = [row for row in weighed if setting in (row.passage.setting, row.quote.setting)]

    def kept(thresholds: Callable[[Weighed], Thresholds]) -> Share:
        scores = zip(seen, scored, strict=True)
        return _share([(each.answerable, each.score >= thresholds(row)[setting]) for row, each in scores])

    return GateReport(
        setting=setting,
        **_counts(seen),
        auc=auc(scored),
        in_force=in_force[setting],
        with_in_force=kept(lambda _: in_force),
        proposed=proposed,
        with_proposed=None if proposed is None else kept(by_others),
    )


def _language(
    language: str, rows: Sequence[Weighed], in_force: Thresholds, by_others: Callable[[Weighed], Thresholds]
) -> LanguageReport:
    return LanguageReport(
        language=language,
        **_counts(rows),
        with_in_force=_share([(row.answerable, row.passes(in_force)) for row in rows]),
        with_proposed=_share([(row.answerable, row.passes(by_others(row))) for row in rows]),
    )


def _counts(rows: Sequence[Weighed]) -> dict[str, int]:
    answerable = sum(row.answerable for row in rows)
    return {
        "answerable": answerable,
        "unanswerable": len(rows) - answerable,
        "made": sum(row.made for row in rows),
    }


def _share(judged: Sequence[tuple[bool, bool]]) -> Share:
    """Of pairs (has an answer, passes)."""
    kept = [passes for answerable, passes in judged if answerable]
    refused = [not passes for answerable, passes in judged if not answerable]
    return Share(fmean(kept) if kept else None, fmean(refused) if refused else None)


def _mistakes(weighed: Sequence[Weighed], thresholds: Thresholds) -> list[Mistake]:
    wrong = (row for row in weighed if row.passes(thresholds) is not row.answerable)
    return [Mistake(row.id, row.answerable, row.made, row.refused_by(thresholds)) for row in wrong]
