"""A model around another one: what a wrapper does not change is the inner model's."""

from collections.abc import Generator

from kbcore.domain.document import Classification
from kbcore.llm.interface import AnswerModel, AnswerPart, AnswerRequest, Prompt


class WrappedModel:
    """`AnswerModel` that passes everything on; wrappers override what they change."""

    def __init__(self, model: AnswerModel) -> None:
        self._model = model

    @property
    def name(self) -> str:
        """The inner model's."""
        return self._model.name

    @property
    def allowed(self) -> Classification:
        """The inner model's."""
        return self._model.allowed

    def prompt(self, request: AnswerRequest) -> Prompt:
        """See `AnswerModel.prompt`."""
        return self._model.prompt(request)

    def answer(self, request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        """See `AnswerModel.answer`."""
        yield from self._model.answer(request)

    def ping(self) -> None:
        """See `AnswerModel.ping`."""
        self._model.ping()
