"""Permission trials: real people ask golden questions of others, and an independent check looks at what they get."""

import random
from collections.abc import Sequence

from kbcore.bootstrap import Platform
from kbcore.domain.evaluation import GoldenQuestion
from kbcore.domain.principal import Caller
from kbcore.metadata import users
from kbcore.metadata.access import resolve_caller
from kbcore.metadata.rights import read_rights
from services.evaluation.side import Shown, Side

Pair = tuple[Caller, GoldenQuestion]


def draw_pairs(platform: Platform, questions: Sequence[GoldenQuestion], *, seed: str, count: int) -> list[Pair]:
    """At most `count` different pairs of an active person and a question, the same ones for the same seed."""
    with platform.database.snapshot() as connection:
        people = users.sample_active(connection, seed=seed, limit=count)
        callers = [caller for user_id in people if (caller := resolve_caller(connection, user_id)) is not None]
    if not callers or not questions:
        return []
    chance = random.Random(seed)  # noqa: S311 (a sample, not a secret)
    every = len(callers) * len(questions)
    places = chance.sample(range(every), min(count, every))
    return [(callers[place // len(questions)], questions[place % len(questions)]) for place in places]


def leaks_of(platform: Platform, side: Side, questions: Sequence[GoldenQuestion]) -> list[Shown]:
    """What was shown although the plain rules forbid it. Rights may have changed since, so each case is tried again."""
    texts = {question.id: question.question for question in questions}
    suspected = _forbidden(platform, side.shown)
    return sorted(
        (shown for shown in suspected if _again(platform, side, shown, texts[shown.question_id])),
        key=lambda shown: (shown.user_id, shown.question_id, shown.document_id),
    )


def _forbidden(platform: Platform, shown: set[Shown]) -> set[Shown]:
    with platform.database.snapshot() as connection:
        rights = read_rights(connection, {item.user_id for item in shown}, {item.document_id for item in shown})
    return {item for item in shown if not rights.may_read(item.user_id, item.document_id)}


def _again(platform: Platform, side: Side, shown: Shown, question: str) -> bool:
    with platform.database.snapshot() as connection:
        caller = resolve_caller(connection, shown.user_id)
    if caller is None:
        return False
    repeated = Side(side.generation)
    repeated.ask(platform, caller, shown.question_id, question)
    return shown in _forbidden(platform, repeated.shown)
