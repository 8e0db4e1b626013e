"""Which models may answer, in which order: chosen by the highest classification of what they would be sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kbcore.domain.document import Classification
from kbcore.errors import NotFound
from kbcore.llm.breaker import Breaker
from kbcore.llm.interface import AnswerModel

AUTOMATIC = "zhiku"
"""The model name that leaves the choice to us."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A model, and the highest classification of text that may be sent to it."""

    model: AnswerModel
    allowed: Classification
    breaker: Breaker

    @property
    def name(self) -> str:
        """The model's."""
        return self.model.name


@dataclass(frozen=True, slots=True)
class Route:
    """The backends to try, in this order, and why the first of them stands first; for people to read.

    None of them is one that the text may not be sent to.
    """

    backends: tuple[Backend, ...]
    because: str


def choose(
    backends: Mapping[str, Backend], requested: str | None, order: Sequence[str], level: Classification
) -> Route:
    """The backends for text of this classification. Raises `NotFound("model")` for a name that there is not.

    `order` names them by preference; the last one must be allowed everything, so that there is always one. A requested
    model that the text may not be sent to is passed over, never given a part of it.
    """
    asked = requested is not None and requested != AUTOMATIC
    wanted = dict.fromkeys([requested, *order] if asked else order)
    if any(name not in backends for name in wanted):
        raise NotFound("model")
    ranked = [backends[name] for name in wanted if name is not None]
    allowed = tuple(backend for backend in ranked if level <= backend.allowed)
    because = "asked for by name" if asked else "the configured default"
    if allowed[0] is not ranked[0]:
        first = ranked[0]
        because = f"the text is {level.word}, and {first.name} may be sent {first.allowed.word} text at most"
    return Route(allowed, because)
