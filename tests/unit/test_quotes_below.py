"""What stands below a weak model's words when it does not come to its end."""

from collections.abc import Generator

import pytest

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.llm.interface import AnswerModel, AnswerPart, AnswerRequest, Prompt, Source
from kbcore.llm.prompt import quoted_from
from kbcore.settings import load_settings
from services.query.answer import Said
from services.query.cite import Citer
from services.query.generate import Outcome, generate
from services.query.quotes_below import HEADING, write
from tests.unit.test_cite import HOTEL, never, passage

QUOTE = "Hotel costs are reimbursed up to 600 yuan per night."
MODELS = '[{"name": "weak", "provider": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1", \
"max_classification": "restricted", "context_tokens": 4096, "timeout_s": 5, "quotes_below": true}]'


class Chatterbox:
    """Says one whole sentence and half of another, then has used up its tokens."""

    name = "weak"
    allowed = Classification.RESTRICTED

    def prompt(self, request: AnswerRequest) -> Prompt:
        return quoted_from(request)

    def answer(self, _request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        yield AnswerPart(text="Flights must be booked in economy class. [1] Hotel costs are")
        yield AnswerPart(finish_reason="length")

    def ping(self) -> None:
        """Always there."""


@pytest.mark.parametrize(("max_tokens", "quoted"), [(None, True), (8, False)])
def test_one_that_uses_up_its_tokens_has_the_quotes_below_all_the_same(max_tokens: int | None, quoted: bool) -> None:
    source = Source(1, "Travel", HOTEL, (), 0.9, "en")
    request = AnswerRequest("What about hotels and flights?", "en", [source], max_tokens=max_tokens)
    outcome, citer = Outcome(), Citer([passage(HOTEL, language="en")], request.question, never)

    def count_words(text: str) -> int:
        return len(text.split())

    def verified(model: AnswerModel) -> Generator[Said, None, None]:
        yield from generate(model, request, citer, count_words, outcome)

    platform = Platform(load_settings({"ZHIKU_LLM__MODELS": MODELS}))
    said = write(
        platform, Chatterbox(), request, count_words, outcome, verified, lambda: [AnswerPart(text=f"{QUOTE} [1]")]
    )
    shown = "".join(each.text for each in said)
    assert shown == outcome.text
    assert shown.startswith("Flights must be booked in economy class.")
    assert (HEADING["en"] in shown, QUOTE in shown) == (quoted, quoted)
    assert outcome.finish_reason == "length"
