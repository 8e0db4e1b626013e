"""A generating model behind the guard: it reads shielded sources, with personal data masked where that is wished."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from kbcore.llm.interface import AnswerModel, AnswerPart, AnswerRequest, Prompt
from kbcore.llm.wrapped import WrappedModel
from services.guard.masking import Restorer, mask
from services.guard.plain_text import without_invisible
from services.guard.sources import Handling, Unmarking, shielded


@dataclass(frozen=True, slots=True)
class Masking:
    """Whose personal data is masked: `names` are those of people, `regions` those of telephone numbers."""

    names: Sequence[str] = ()
    regions: Sequence[str] = ("CN", "US")


class GuardedModel(WrappedModel):
    """`AnswerModel` around another one; `masking` None = personal data goes to the model as it is."""

    def __init__(self, model: AnswerModel, handling: Handling, masking: Masking | None) -> None:
        super().__init__(model)
        self._handling = handling
        self._masking = masking

    def prompt(self, request: AnswerRequest) -> Prompt:
        """What the model is really sent."""
        return self._model.prompt(self.prepared(request)[0])

    def masked(self, request: AnswerRequest) -> dict[str, int]:
        """How many values of each kind are hidden from the model."""
        return dict(self.prepared(request)[1].counts)

    def answer(self, request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        """What the model says, with masked values restored."""
        sent, restorer = self.prepared(request)
        unmarking = Unmarking()
        parts = self._model.answer(sent)
        try:
            for part in parts:
                yield replace(part, text=restorer.feed(unmarking.feed(part.text)))
            if rest := restorer.end():
                yield AnswerPart(text=rest)
        finally:
            parts.close()

    def prepared(self, request: AnswerRequest) -> tuple[AnswerRequest, Restorer]:
        """What the model is really sent, and what puts masked values back."""
        shown = replace(
            request,
            question=without_invisible(request.question),
            history=tuple((without_invisible(asked), without_invisible(said)) for asked, said in request.history),
            sources=shielded(request.sources, self._handling)[0],
        )
        if self._masking is None:
            return shown, Restorer({})
        return mask(shown, names=self._masking.names, regions=self._masking.regions)
