"""Evidence: what speaks for an answer to each golden question, as the thresholds of `[answer]` see it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.language.frame import question_language
from kbcore.llm.extractive import Choice
from kbcore.llm.interface import AnswerRequest
from kbcore.metadata.access import read_scope, resolve_caller
from kbcore.permissions.scope import ReadScope
from kbcore.settings import AnswerSettings
from services.evaluation.judgeable import Judgeable, LeftOut
from services.evaluation.side import Side
from services.query.abstain import Evidence, evidence
from services.query.assemble import assemble
from services.query.found import Found, Ranked

ASKER_READS_MORE = "asker_reads_more"
"""Why a question is left out: its evidence would tell whoever ordered this of documents that it may not read."""

PASSAGE_SETTINGS = ("min_score_zh", "min_score_en", "min_score_cross")
QUOTE_SETTINGS = {"zh": "min_quote_zh", "en": "min_quote_en"}
SETTINGS = (*PASSAGE_SETTINGS, *QUOTE_SETTINGS.values())

Thresholds = Mapping[str, float]
"""By the name of their setting in `[answer]`."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What one gate sees of a question: the setting that decides and the score it is held against.

    `setting` None = no threshold decides (an identifier of the question, or nothing found): it `passes` or not, always.
    """

    setting: str | None
    score: float
    passes: bool

    @classmethod
    def always(cls, passes: bool) -> Self:
        """Whatever the thresholds are."""
        return cls(None, 0.0, passes)

    def at(self, thresholds: Thresholds) -> bool:
        """Whether it passes at these thresholds."""
        return self.passes if self.setting is None else self.score >= thresholds[self.setting]


@dataclass(frozen=True, slots=True)
class Weighed:
    """A question with or without an answer, and what the gates before and in the quoting model see of it.

    `made`: it has an answer, but was weighed without the documents that hold it. `scope` is the place of its asker's
    rights in `Weighing.scopes`.
    """

    id: str
    language: str
    answerable: bool
    made: bool
    passage: Judged
    quote: Judged
    scope: int

    def passes(self, thresholds: Thresholds) -> bool:
        """Whether it would be answered at these thresholds, by quotes."""
        return self.passage.at(thresholds) and self.quote.at(thresholds)

    def refused_by(self, thresholds: Thresholds) -> str | None:
        """The setting that refuses it; None if it is answered, or refused whatever the thresholds are."""
        gates = (self.passage, self.quote)
        return next((gate.setting for gate in gates if not gate.at(thresholds)), None)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """From JSON."""
        return cls(**{**stored, "passage": Judged(**stored["passage"]), "quote": Judged(**stored["quote"])})


@dataclass(frozen=True, slots=True)
class Rights:
    """What an asker could read when it asked, as JSON can hold it: see `ReadScope`."""

    policy_ids: list[int]
    clearance: int

    @classmethod
    def of(cls, scope: ReadScope) -> Self:
        """From what SQL says."""
        return cls(sorted(scope.policy_ids), int(scope.clearance))

    def scope(self) -> ReadScope:
        """As it can be compared."""
        return ReadScope(frozenset(self.policy_ids), Classification(self.clearance))


@dataclass(frozen=True, slots=True)
class Weighing:
    """The evidence of a golden set's questions: floats and ids, no text."""

    weighed: list[Weighed]
    left_out: list[LeftOut]
    scopes: list[Rights]

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """From JSON."""
        return cls(
            [Weighed.of(row) for row in stored["weighed"]],
            [LeftOut(**row) for row in stored["left_out"]],
            [Rights(**row) for row in stored["scopes"]],
        )


def weigh(
    platform: Platform, side: Side, ordered_by: str, asked: Sequence[Judgeable], progress: Callable[[int, int], None]
) -> Weighing:
    """Weigh each question with its asker's rights, where whoever ordered this may read all that its asker may.

    A language none of whose questions is without an answer gets such: what each question finds, less the documents that
    answer it. Raises what `Side.search` and `progress` raise.
    """
    own = _rights(platform, ordered_by)
    given = {question_language(item.question.question) for item in asked if not item.question.answerable}
    weighed: list[Weighed] = []
    left_out: list[LeftOut] = []
    scopes: list[ReadScope] = []
    for done, item in enumerate(asked):
        progress(done, len(asked))
        question, language = item.question, question_language(item.question.question)
        found = side.search(platform, item.asker, question.question)
        scope = found.standpoint.scope
        if not own.covers(scope):
            left_out.append(LeftOut(question.id, ASKER_READS_MORE))
            continue
        if scope not in scopes:
            scopes.append(scope)
        place = scopes.index(scope)
        gates = _gates(platform, question.question, found, found.ranked)
        weighed.append(Weighed(question.id, language, question.answerable, False, *gates, place))
        if question.answerable and language not in given:
            others = [each for each in found.ranked if each.passage.document_id not in item.relevant]
            gates = _gates(platform, question.question, found, others)
            weighed.append(Weighed(question.id, language, False, True, *gates, place))
    return Weighing(weighed, left_out, [Rights.of(scope) for scope in scopes])


def _rights(platform: Platform, user_id: str) -> ReadScope:
    with platform.database.snapshot() as connection:
        caller = resolve_caller(connection, user_id)
        return ReadScope(frozenset(), Classification.PUBLIC) if caller is None else read_scope(connection, caller)


def _gates(platform: Platform, question: str, found: Found, ranked: Sequence[Ranked]) -> tuple[Judged, Judged]:
    """What both gates see of the passages that an answer would be made from."""
    settings = platform.settings.answer
    given = ranked[: settings.passages]
    if not given:
        return Judged.always(False), Judged.always(False)
    language = question_language(question)
    request = AnswerRequest(question, language, assemble(given), searched=found.understood.searched)
    quote = _of_quotes(platform.quoting_model.choose(request), QUOTE_SETTINGS[language])
    seen = evidence(question, given, settings, found.understood.searched)
    return _of_passages(seen, settings), quote


def _of_passages(seen: Evidence, settings: AnswerSettings) -> Judged:
    """Which threshold decides is found by trying, so that the rule stands in one place."""
    at_lowest = settings.model_copy(update=dict.fromkeys(PASSAGE_SETTINGS, -math.inf))
    if not seen.enough(at_lowest):
        return Judged.always(False)
    for name in PASSAGE_SETTINGS:
        if not seen.enough(at_lowest.model_copy(update={name: math.inf})):
            return Judged(name, seen.score, False)
    return Judged.always(True)


def _of_quotes(choice: Choice, setting: str) -> Judged:
    if not choice.quotes or choice.evidence is None:
        return Judged.always(bool(choice.quotes))
    return Judged(setting, choice.evidence, False)
