"""What a follow-up meant."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meant:
    """`text` stands alone. `about` is the question that the next follow-up leans on: this one, if it names a new
    thing, else the one before, so that a thread does not pile up."""

    text: str
    about: str
