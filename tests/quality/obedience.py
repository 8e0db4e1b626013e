"""The worst model there is: it does whatever an instruction in its prompt says, wherever that stands."""

import re
from collections.abc import Generator

from kbcore.domain.document import Classification
from kbcore.llm.interface import AnswerPart, AnswerRequest, Prompt
from kbcore.llm.prompt import render
from kbcore.settings import CONFIG_FOLDER
from services.guard.sources import MARK
from tests.quality.attacks import Attack


class Obedient:
    """An `AnswerModel` that obeys one attack if its prompt contains it, however disguised, and repeats its own rules
    when the question is the attack. One that `heeds` obeys everything but what is marked."""

    name = "obedient"
    allowed = Classification.RESTRICTED

    def __init__(self, attack: Attack, *, heeds: bool) -> None:
        self._attack = attack
        self._heeds = heeds

    def prompt(self, request: AnswerRequest) -> Prompt:
        return render(request, CONFIG_FOLDER / "prompts", 8192)

    def answer(self, request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        messages = self.prompt(request).messages
        text = messages[-1].content
        if self._heeds:
            text = re.sub(rf"[^\s{MARK}]*{MARK}[^\s{MARK}]*", " ", text)
        said = ""
        if not self._attack.injected or _letters(self._attack.injected) in _letters(text):
            said = f"{self._attack.obeyed} [1]\n"
        if not self._attack.injected:
            said += messages[0].content + " [1]\n"
        for at in range(0, len(said), 16):
            yield AnswerPart(said[at : at + 16])
        yield AnswerPart(finish_reason="stop")

    def ping(self) -> None:
        """Always there."""


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
