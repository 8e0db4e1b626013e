"""Guarded: `generate` with the guard on both sides of the model, and what it kept back."""

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace

from kbcore.bootstrap import Platform
from kbcore.domain.chunk import Passage
from kbcore.domain.document import Classification
from kbcore.llm.interface import NO_ANSWER, AnswerModel, AnswerPart, AnswerRequest
from services.guard.configured import guard_of, guarded_model
from services.guard.guard import QUOTING, Guard
from services.guard.instructions import inspect_text
from services.guard.model import GuardedModel
from services.guard.output import Fault
from services.query.agreement import Similarity
from services.query.answer import Said
from services.query.cite import Citer
from services.query.generate import Outcome, generate
from services.query.statements import Statement


class Checks:
    """The guard's word on the statements of one model: what only suspicious stretches support is not said, either.

    Whatever a poisoned document orders to be said stands in it, and would confirm itself.
    """

    def __init__(
        self,
        guard: Guard,
        model: AnswerModel,
        writing: AnswerRequest,
        passages: Sequence[Passage],
        level: Classification,
        similarity: Similarity,
    ) -> None:
        self._statements = guard.statements(model, writing.sources, level)
        trusted = [_trusted(passage, guard.handling.above) for passage in passages]
        self._elsewhere: Citer | None = None
        if model.name != QUOTING and trusted != list(passages):
            self._elsewhere = Citer(trusted, writing.question, similarity)

    @property
    def dropped(self) -> Mapping[Fault, int]:
        """How many statements were not let pass."""
        return self._statements.dropped

    def passed(self, statement: Statement) -> str | None:
        """The text as it may go on to be cited; None if it must not be shown."""
        text = self._statements.passed(statement.text, joined=not statement.lead)
        if text is None or self._elsewhere is None:
            return text
        if self._elsewhere.cite(replace(statement, text=text)) is None:
            self._statements.drop(Fault.ECHO)
            return None
        return text


class Guarded:
    """Writes one answer, with one model or with several in turn."""

    def __init__(
        self,
        platform: Platform,
        writing: AnswerRequest,
        passages: Sequence[Passage],
        level: Classification,
        similarity: Similarity,
    ) -> None:
        self._platform = platform
        self._writing = writing
        self._similarity = similarity
        self._passages = passages
        self._level = level
        self._dropped: Counter[str] = Counter()
        self._masked: dict[str, int] = {}

    @property
    def dropped(self) -> Mapping[str, int]:
        """Statements that were not let pass, by fault."""
        return dict(self._dropped)

    @property
    def masked(self) -> Mapping[str, int]:
        """Personal data that was hidden from the models asked, by kind."""
        return self._masked

    def model(self, model: AnswerModel) -> AnswerModel:
        """The model as it is asked."""
        return guarded_model(self._platform, model)

    def may_quote(self, line: str) -> bool:
        """See `may_quote`; of this answer's level."""
        return may_quote(self._platform, line, self._level)

    def quotes(self) -> list[AnswerPart]:
        """The best quotes of what a generating model is shown; none if nothing is worth quoting or may be shown."""
        guard, quoting = guard_of(self._platform), self._platform.quoting_model
        shown = guard.shown(self._writing.sources)
        parts = list(quoting.answer(replace(self._writing, sources=shown)))
        statements = guard.statements(quoting, shown, self._level)
        passes = (statements.passed(part.text) for part in parts if part.text not in ("", NO_ANSWER))
        return parts if any(text is not None for text in passes) else []

    def generate(
        self, model: AnswerModel, citer: Citer, count_tokens: Callable[[str], int], outcome: Outcome
    ) -> Generator[Said, None, None]:
        """What `services.query.generate.generate` yields and raises."""
        asked = self.model(model)
        if isinstance(asked, GuardedModel):
            self._masked |= asked.masked(self._writing)
        guard = guard_of(self._platform)
        checks = Checks(guard, model, self._writing, self._passages, self._level, self._similarity)
        try:
            yield from generate(asked, self._writing, citer, count_tokens, outcome, checks.passed)
        finally:
            self._dropped.update({fault.value: count for fault, count in checks.dropped.items()})


def may_quote(platform: Platform, text: str, level: Classification) -> bool:
    """Whether a text of ours that quotes documents may be shown as it is: no unsafe markup, no filter objects."""
    return guard_of(platform).statements(platform.quoting_model, (), level).passed(text) == text


def _trusted(passage: Passage, above: float) -> Passage:
    """The passage with its suspicious stretches blank."""
    taint = inspect_text(passage.text, passage.title, *passage.heading)
    if taint.score < above:
        return passage
    text = passage.text
    for start, end in taint.spans:
        text = text[:start] + "\n" * (end - start) + text[end:]
    return replace(passage, text=text)
