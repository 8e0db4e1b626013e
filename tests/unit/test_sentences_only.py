"""A small model's sources: the sentences around the best quotes, in their own order, under their own numbers."""

from collections.abc import Generator, Sequence
from dataclasses import replace

from kbcore.domain.document import Classification
from kbcore.llm.interface import AnswerPart, AnswerRequest, Prompt, Source
from kbcore.llm.prompt import quoted_from
from kbcore.llm.quotable import Quote
from kbcore.llm.sentences_only import SentencesOnly, shortened

TEXT = "第一句讲年假。第二句讲病假。第三句讲加班。第四句讲出差。"


def source(number: int, text: str = TEXT) -> Source:
    return Source(number, f"文件{number}", text, (), 0.9, "zh")


def quote(of: Source, words: str) -> Quote:
    start = of.text.index(words)
    return Quote(of, start, start + len(words), start)


def test_sentences_stand_in_their_order_with_gaps_marked() -> None:
    first, second = source(1), source(2)
    quotes = [quote(first, "第三句讲加班。"), quote(second, "第二句讲病假。"), quote(first, "第一句讲年假。")]
    assert [(each.number, each.text) for each in shortened(quotes)] == [
        (1, "第一句讲年假。 … 第三句讲加班。"),
        (2, "第二句讲病假。"),
    ]
    together = shortened([quote(first, "第二句讲病假。"), quote(first, "第一句讲年假。")])
    assert together[0].text == "第一句讲年假。第二句讲病假。"


def test_the_room_is_kept_and_the_best_is_always_there() -> None:
    first = source(1, "长" * 3000)
    assert [each.number for each in shortened([quote(first, "长" * 3000), quote(source(2), "第一句讲年假。")])] == [1]
    many = [quote(source(number), TEXT) for number in range(1, 50)]
    assert 1 < len(shortened(many)) < 20


class Ranked:
    def __init__(self, quote: Quote) -> None:
        self.quote = quote


class Fixed:
    def __init__(self) -> None:
        self.asked = 0

    def rank(self, question: str, sources: Sequence[Source]) -> list[Ranked]:
        self.asked += 1
        return [Ranked(quote(each, question)) for each in sources if question in each.text]


class Echo:
    name = "echo"
    allowed = Classification.INTERNAL

    def prompt(self, request: AnswerRequest) -> Prompt:
        return quoted_from(request)

    def answer(self, request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        yield AnswerPart("|".join(f"{each.number}:{each.text}" for each in request.sources))

    def ping(self) -> None:
        """There."""


def test_the_model_sees_no_more_and_the_prompt_says_so() -> None:
    model = SentencesOnly(Echo(), Fixed())
    request = AnswerRequest("第二句讲病假。", "zh", [source(3, "别的。"), source(5)])
    assert [part.text for part in model.answer(request)] == ["5:第二句讲病假。"]
    assert model.prompt(request).numbers == (5,)
    assert model.allowed is Classification.INTERNAL
    nothing = AnswerRequest("没有", "zh", [source(3, "别的。"), source(5)])
    assert [part.text for part in model.answer(nothing)] == ["3:别的。"]


def test_sentences_are_compared_once_for_an_answer_and_again_for_other_words() -> None:
    ranker = Fixed()
    model = SentencesOnly(Echo(), ranker)
    request = AnswerRequest("第二句？", "zh", [source(5)], searched="第二句讲病假。")
    model.prompt(request)
    list(model.answer(replace(request, max_tokens=9)))
    assert ranker.asked == 1
    assert [part.text for part in model.answer(replace(request, sources=[source(6)]))] == ["6:第二句讲病假。"]
    assert ranker.asked == 2
    model.prompt(AnswerRequest(request.question, "zh", request.sources, searched=request.searched))
    assert ranker.asked == 3, "another answer"
