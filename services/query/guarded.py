"""Guarded: `generate` with the guard on both sides of the model, and what it kept back."""

from collections import Counter
from collections.abc import Callable, Generator, Mapping

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.llm.interface import AnswerModel, AnswerRequest
from services.guard.configured import guard_of, guarded_model
from services.guard.model import GuardedModel
from services.query.answer import Said
from services.query.cite import Citer
from services.query.found import Found
from services.query.generate import Outcome, generate


class Guarded:
    """Writes one answer, with one model or with several in turn."""

    def __init__(self, platform: Platform, found: Found, writing: AnswerRequest) -> None:
        self._platform = platform
        self._writing = writing
        self._level = max((item.passage.classification for item in found.ranked), default=Classification.PUBLIC)
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

    def generate(
        self, model: AnswerModel, citer: Citer, count_tokens: Callable[[str], int], outcome: Outcome
    ) -> Generator[Said, None, None]:
        """What `services.query.generate.generate` yields and raises."""
        asked = self.model(model)
        if isinstance(asked, GuardedModel):
            self._masked |= asked.masked(self._writing)
        statements = guard_of(self._platform).statements(model, self._writing.sources, self._level)
        try:
            yield from generate(asked, self._writing, citer, count_tokens, outcome, statements.passed)
        finally:
            self._dropped.update({fault.value: count for fault, count in statements.dropped.items()})
