"""Whether a model may be asked: what the gate tells the question path."""

from collections.abc import Callable

MayAsk = Callable[[str], bool]
"""Whether the model of this name may be asked once more now; who asks this goes on to ask the model, if it may."""


def any_model(_name: str) -> bool:
    """`MayAsk` where nothing is limited."""
    return True
