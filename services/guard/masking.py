"""Masks personal data in what a model is sent, and puts it back into what the model says.

A value has one placeholder for the whole request (`⟦PHONE_1⟧`), wherever it stands: in the question, earlier turns,
sources. Placeholders avoid whatever the texts already contain.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from kbcore.llm.interface import AnswerRequest, Source
from services.guard.personal_data import find

PLACEHOLDER = re.compile(r"⟦\s?([A-Z]{2,8}_\d{1,6})\s?⟧")
_LONGEST = 24
"""Characters of a placeholder, with what white space a model may add."""


class Restorer:
    """Puts values back into an answer as it arrives; placeholders may be cut anywhere."""

    def __init__(self, values: Mapping[str, str]) -> None:
        """`values` by the name inside the brackets (`PHONE_1`)."""
        self._values = values
        self._pending = ""

    @property
    def counts(self) -> Mapping[str, int]:
        """How many different values of each kind were masked."""
        return Counter(name.partition("_")[0] for name in self._values)

    def feed(self, piece: str) -> str:
        """What can be said for sure so far, restored."""
        text = self._pending + piece
        opened = text.rfind("⟦")
        if opened < 0 or "⟧" in text[opened:] or len(text) - opened > _LONGEST:
            opened = len(text)
        self._pending = text[opened:]
        return self.restore(text[:opened])

    def end(self) -> str:
        """What is left when the answer is over."""
        rest, self._pending = self._pending, ""
        return self.restore(rest)

    def restore(self, text: str) -> str:
        """The text with the values in place; unknown placeholders stay."""
        return PLACEHOLDER.sub(lambda found: self._values.get(found.group(1), found.group()), text)


def mask(
    request: AnswerRequest, *, names: Sequence[str] = (), regions: Sequence[str] = ("CN", "US")
) -> tuple[AnswerRequest, Restorer]:
    """The request without personal data, and what undoes that."""
    texts = list(_texts(request))
    kinds: dict[str, str] = {}
    for text in texts:
        for start, end, kind in find(text, names=names, regions=regions):
            kinds.setdefault(text[start:end], kind)
    placeholders = _named(kinds, "\n".join(texts))
    if not placeholders:
        return request, Restorer({})
    # Longest first: a value within a longer one is part of it. Everywhere, not only where its form was recognised.
    pattern = re.compile("|".join(re.escape(value) for value in sorted(placeholders, key=len, reverse=True)))

    def hide(text: str) -> str:
        return pattern.sub(lambda found: f"⟦{placeholders[found.group()]}⟧", text)

    masked = replace(
        request,
        question=hide(request.question),
        history=tuple((hide(question), hide(answer)) for question, answer in request.history),
        sources=[_hidden(source, hide) for source in request.sources],
    )
    return masked, Restorer({name: value for value, name in placeholders.items()})


def _hidden(source: Source, hide: Callable[[str], str]) -> Source:
    heading = tuple(hide(each) for each in source.heading)
    return replace(source, title=hide(source.title), text=hide(source.text), heading=heading)


def _named(kinds: Mapping[str, str], existing: str) -> dict[str, str]:
    """A placeholder's name for each value, numbered by kind in order of appearance."""
    taken = {found.group(1) for found in PLACEHOLDER.finditer(existing)}
    numbers: Counter[str] = Counter()
    names: dict[str, str] = {}
    for value, kind in kinds.items():
        numbers[kind] += 1
        while f"{kind}_{numbers[kind]}" in taken:
            numbers[kind] += 1
        names[value] = f"{kind}_{numbers[kind]}"
    return names


def _texts(request: AnswerRequest) -> Sequence[str]:
    turns = [text for pair in request.history for text in pair]
    sources = [text for source in request.sources for text in (source.title, *source.heading, source.text)]
    return [request.question, *turns, *sources]
