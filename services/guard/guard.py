"""The guard of one installation: what its settings make of filters, shielded models and checks of statements."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import structlog

from kbcore.domain.document import Classification
from kbcore.errors import Unavailable
from kbcore.language.script import detect_language
from kbcore.llm.interface import AnswerModel, Source
from kbcore.observability.metrics import guarded
from services.guard.filters import ALLOWED, ContentFilter, Decision, Direction, Verdict
from services.guard.instructions import Taint
from services.guard.model import GuardedModel, Masking
from services.guard.output import Fault, OutputCheck, unsafe_markup
from services.guard.sources import Handling, inspect_source, shielded

QUOTING = "extractive"
"""The answer model that only quotes: it follows no instructions."""
UNSEEN = "too_secret"
"""The reason of a text that a filter must not see and that may not pass without it."""

_ADDRESSES = frozenset({Fault.IMAGE, Fault.SCRIPT, Fault.LINK})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Guard:
    """`unseen` is what becomes of text that is too secret for a filter (by its name)."""

    handling: Handling
    masking: Masking
    filters: Sequence[ContentFilter]
    unseen: Mapping[str, Decision]
    prompts: Path

    def judge(self, text: str, direction: Direction, level: Classification) -> Verdict:
        """All filters, in order: a refusal ends it, masks add up. Raises `Unavailable` (`filter_unavailable`)."""
        language = detect_language(text)
        verdict = ALLOWED
        for each in self.filters:
            if level > each.most_secret:
                if self.unseen.get(each.name) is not Decision.ALLOW:
                    return Verdict(Decision.REFUSE, UNSEEN)
                continue
            found = each.check(text, direction, language)
            if found.decision is Decision.REFUSE:
                return found
            if found.decision is Decision.MASK:
                text, verdict = found.text, found
        return verdict

    def model(self, model: AnswerModel, *, mask_personal_data: bool) -> AnswerModel:
        """The model as it may be asked."""
        if model.name == QUOTING:
            return model
        return GuardedModel(model, self.handling, self.masking if mask_personal_data else None)

    def taints(self, sources: Sequence[Source]) -> dict[int, Taint]:
        """The suspicious ones among the sources, by number."""
        found = {source.number: inspect_source(source) for source in sources}
        return {number: taint for number, taint in found.items() if taint.score >= self.handling.above}

    def shown(self, sources: Sequence[Source]) -> list[Source]:
        """Those that a generating model is shown, as they are in the documents."""
        numbers = {source.number for source in shielded(sources, self.handling)[0]}
        return [source for source in sources if source.number in numbers]

    def statements(self, model: AnswerModel, sources: Sequence[Source], level: Classification) -> "Statements":
        """What checks the statements that this model makes from these sources; `level` is the highest of them."""
        if model.name == QUOTING:
            return Statements(self, unsafe_markup, level)
        check = OutputCheck(sources, self.taints(sources), _system_texts(self.prompts))
        return Statements(self, check.fault, level)


class Statements:
    """Checks one answer's statements and counts what it drops."""

    def __init__(self, guard: Guard, fault: Callable[[str], Fault | None], level: Classification) -> None:
        self._guard = guard
        self._fault = fault
        self._level = level
        self._cut: Fault | None = None
        self._exclaimed = False
        self.dropped: Counter[Fault] = Counter()

    def passed(self, text: str, *, joined: bool = False) -> str | None:
        """The statement as it may go on to be verified; None if it must not be shown.

        `joined` = no white space stands before it: it may be the rest of an address cut at its `?`.
        """
        image = Fault.IMAGE if joined and self._exclaimed and text[:1] == "[" else None  # `![…](…)`, cut at its `!`
        self._exclaimed = text[-1:] in "!！"
        fault = image or self._fault(text) or (self._cut if joined and text[:1].isascii() else None)
        if fault is None and (passed := self._filtered(text)) is not None:
            self._cut = None
            return passed
        fault = fault or Fault.FILTERED
        self._cut = fault if fault in _ADDRESSES and text[-1:] in "?!.:;" else None
        self.drop(fault)
        return None

    def drop(self, fault: Fault) -> None:
        """Count a statement that is not shown."""
        self.dropped[fault] += 1
        guarded.labels("statement_dropped", fault.value).inc()

    def _filtered(self, text: str) -> str | None:
        try:
            verdict = self._guard.judge(text, Direction.OUT, self._level)
        except Unavailable as error:  # what cannot be judged is not said
            _log.warning("content_filter_unavailable", detail=error.detail)
            return None
        if verdict.decision is Decision.REFUSE:
            return None
        return verdict.text if verdict.decision is Decision.MASK else text


@cache
def _system_texts(prompts: Path) -> str:
    """What all models are told, in every language."""
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(prompts.glob("answer.*.md")))
