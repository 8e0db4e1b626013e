"""Which models may answer, in which order: chosen by the highest classification of what they would be sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kbcore.domain.document import Classification
from kbcore.errors import NotFound
from kbcore.llm.interface import AnswerModel

AUTOMATIC = "zhiku"
"""The model name that leaves the choice to us."""


@dataclass(frozen=True, slots=True)
class Route:
    """The models to try, in this order, and why the first of them stands first; for people to read.

    None of them is one that the text may not be sent to.
    """

    models: tuple[AnswerModel, ...]
    because: str

    @property
    def model(self) -> AnswerModel:
        """The first one."""
        return self.models[0]

    def after(self, failure: str) -> "Route | None":
        """What is left when the first one has failed so; None if nothing is."""
        rest = self.models[1:]
        return Route(rest, f"{failure}: {rest[0].name} answers instead") if rest else None


def known(models: Mapping[str, AnswerModel], requested: str | None) -> None:
    """Return if a request may name this. Raises `NotFound("model")`."""
    if requested is not None and requested != AUTOMATIC and requested not in models:
        raise NotFound("model")


def choose(
    models: Mapping[str, AnswerModel], requested: str | None, order: Sequence[str], level: Classification
) -> Route:
    """The models for text of this classification. Raises `NotFound("model")` for a name that there is not.

    `order` names them by preference; the last one must be allowed everything, so that there is always one. A requested
    model that the text may not be sent to is passed over, never given a part of it.
    """
    asked = requested is not None and requested != AUTOMATIC
    wanted = dict.fromkeys([requested, *order] if asked else order)
    if any(name not in models for name in wanted):
        raise NotFound("model")
    ranked = [models[name] for name in wanted if name is not None]
    allowed = tuple(model for model in ranked if level <= model.allowed)
    because = "asked for by name" if asked else "the configured default"
    if allowed[0] is not ranked[0]:
        first = ranked[0]
        because = f"the text is {level.word}, and {first.name} may be sent {first.allowed.word} text at most"
    return Route(allowed, because)
