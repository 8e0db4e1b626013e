"""Which model answers."""

from collections.abc import Mapping
from dataclasses import dataclass

from kbcore.errors import NotFound
from kbcore.llm.interface import AnswerModel

AUTOMATIC = "zhiku"
"""The model name that leaves the choice to us."""


@dataclass(frozen=True, slots=True)
class Route:
    """A model, and why it was chosen, for people to read."""

    model: AnswerModel
    because: str


def choose(models: Mapping[str, AnswerModel], requested: str | None, default: str) -> Route:
    """The model that a request names, or the default one. Raises `NotFound("model")`."""
    if requested is None or requested == AUTOMATIC:
        if default not in models:
            raise NotFound("model")
        return Route(models[default], "the configured default")
    if requested not in models:
        raise NotFound("model")
    return Route(models[requested], "asked for by name")
