"""The measurement: every question on each side as its asker, then the permission trials, then the figures."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from kbcore.bootstrap import Platform
from kbcore.domain.evaluation import Evaluation, GoldenSet
from kbcore.errors import ItemFailed, Unavailable
from kbcore.metadata import generations
from services.evaluation.evidence import weigh
from services.evaluation.gate import reasons_to_refuse
from services.evaluation.judgeable import Judgeable, LeftOut, judgeable
from services.evaluation.metrics import Figures, figures_of, mean, percentile, sign_flip_p
from services.evaluation.report import QuestionReport, Report, SideReport
from services.evaluation.side import Shown, Side
from services.evaluation.trials import draw_pairs, leaks_of

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total); raises when the job was cancelled, has ended elsewhere, or shall wait."""


def measure(
    platform: Platform, evaluation: Evaluation, golden: GoldenSet, progress: Progress, *, calibrate: bool = False
) -> Report:
    """Carry an evaluation out; with `calibrate` the evidence of each question is weighed, too.

    Raises `ItemFailed` (`index_gone`, `embedding_mismatch`), `Unavailable`, and what `progress` raises.
    """
    wanted = [evaluation.generation_id]
    if evaluation.baseline_id is not None:
        wanted.append(evaluation.baseline_id)
    sides = [_opened(platform, generation_id) for generation_id in wanted]
    every, left_out = judgeable(platform, golden)
    answerable = [item for item in every if item.question.answerable]
    for done, item in enumerate(answerable):
        progress("questions", done, len(answerable))
        # Each side is first half of the time: what the first one warms up serves the second.
        for side in sides if done % 2 == 0 else reversed(sides):
            asked = side.ask(platform, item.asker, item.question.id, item.question.question)
            side.measured[item.question.id] = asked
    pairs = draw_pairs(
        platform, golden.questions, seed=evaluation.id, count=platform.settings.evaluation.permission_trials
    )
    for done, (person, question) in enumerate(pairs):
        progress("permissions", done, len(pairs))
        for side in sides:
            side.ask(platform, person, question.id, question.question)
    leaks = [leaks_of(platform, side, golden.questions) for side in sides]
    weighing = None
    if calibrate:
        weighing = weigh(
            platform, sides[0], evaluation.created_by, every, lambda done, total: progress("evidence", done, total)
        )
    progress("figures", 0, 1)
    report = _report(evaluation, sides, answerable, left_out, len(pairs), leaks)
    return replace(report, unanswerable=len(every) - len(answerable), weighing=weighing)


def _opened(platform: Platform, generation_id: int) -> Side:
    with platform.database.begin() as connection:
        generation = generations.get(connection, generation_id)
    if generation is None or generation.state not in generations.KEPT:
        raise ItemFailed("index_gone", f"index {generation_id} was dropped before it could be measured")
    try:
        platform.embedder_for(generation.embedding)
    except Unavailable as error:  # waiting does not help: somebody has to change the settings
        raise ItemFailed("embedding_mismatch", error.detail) from None
    platform.vectors.load(generation.collection)
    return Side(generation)


def _report(
    evaluation: Evaluation,
    sides: list[Side],
    asked: list[Judgeable],
    left_out: list[LeftOut],
    trials: int,
    leaks: list[list[Shown]],
) -> Report:
    relevant = {item.question.id: item.relevant for item in asked}
    figures = [figures_of(relevant, {key: asked.documents for key, asked in side.measured.items()}) for side in sides]
    shown = [_side_report(side, found, len(leaked)) for side, found, leaked in zip(sides, figures, leaks, strict=True)]
    judged, baseline = shown[0], shown[1] if len(shown) > 1 else None
    before = figures[1] if baseline is not None else {}
    drop = None if baseline is None else baseline.figures.ndcg_10 - judged.figures.ndcg_10
    return Report(
        questions=len(asked),
        left_out=left_out,
        generation=judged,
        baseline=baseline,
        drop=drop,
        p_value=None if baseline is None else _p_value(figures[0], before),
        trials=trials,
        leaks=[item for leaked in leaks for item in leaked],
        refused_because=None
        if evaluation.gate is None
        else reasons_to_refuse(
            evaluation.gate,
            questions=len(asked),
            leaks=judged.leaks,
            ndcg=judged.figures.ndcg_10,
            drop=drop,
        ),
        per_question=[QuestionReport(key, found, before.get(key)) for key, found in figures[0].items()],
    )


def _side_report(side: Side, figures: Mapping[str, Figures], leaks: int) -> SideReport:
    times = [asked.milliseconds for asked in side.measured.values()]
    return SideReport(
        generation=side.generation.id,
        index=side.generation.label,
        figures=mean(figures.values()),
        p50_ms=round(percentile(times, 0.5), 2),
        p95_ms=round(percentile(times, 0.95), 2),
        hits_refused=side.refused,
        leaks=leaks,
    )


def _p_value(after: Mapping[str, Figures], before: Mapping[str, Figures]) -> float:
    return sign_flip_p([after[key].ndcg_10 - before[key].ndcg_10 for key in after])
