"""The extractive model: verbatim, best first, whole thoughts."""

import numpy as np

from kbcore.llm.extractive import ExtractiveModel
from kbcore.llm.interface import NO_ANSWER, AnswerRequest, Source

DIMENSION = 64


class Letters:
    """Vectors from characters: texts with the same characters are near."""

    def embed_passages(self, texts: list[str]) -> np.ndarray:
        self.asked = list(texts)
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> np.ndarray:
        vector = np.full(DIMENSION, 0.01, np.float32)
        for character in text:
            vector[ord(character) % DIMENSION] += 1
        return vector / np.linalg.norm(vector)


def answer(question: str, *texts: str, language: str = "zh", quotes: int = 3) -> str:
    sources = [Source(n, f"文件{n}", text, (), 0.9 - n / 10, "zh") for n, text in enumerate(texts, 1)]
    model = ExtractiveModel(Letters(), max_quotes=quotes)
    return "".join(part.text for part in model.answer(AnswerRequest(question, language, sources)))


def test_quotes_are_verbatim_and_marked() -> None:
    text = "员工享有五天年假。年假可以结转至次年三月。公司位于北京。"
    said = answer("年假可以结转吗", text, quotes=1)
    assert said == "根据《文件1》：“年假可以结转至次年三月。”[1]"


def test_english_frames_and_nothing_to_say() -> None:
    said = answer("Can leave be carried over?", "Leave can be carried over until March.", language="en", quotes=1)
    assert said == "According to 文件1: “Leave can be carried over until March.”[1]"
    assert answer("年假") == NO_ANSWER
    assert answer("年假", "", " \n ") == NO_ANSWER


def test_a_lead_in_takes_its_list_along() -> None:
    text = "报销需要提交以下材料：\n一、发票原件。\n二、审批单。\n\n公司位于北京市海淀区。"
    said = answer("报销需要提交以下材料", text, quotes=1)
    assert "一、发票原件。" in said
    assert "海淀" not in said


def test_a_table_comes_with_its_header() -> None:
    text = "| 城市 | 标准 |\n| --- | --- |\n| 北京 | 600 元 |\n| 成都 | 400 元 |"
    said = answer("北京 城市 标准", text, quotes=1)
    assert "| 城市 | 标准 |" in said
    assert "| 北京 | 600 元 |" in said


def test_copies_are_quoted_once() -> None:
    said = answer("年假可以结转吗", "年假可以结转至次年三月。", "年假可以结转至次年三月。")
    assert said.count("年假可以结转") == 1


def test_only_a_few_sentences_are_embedded() -> None:
    letters = Letters()
    model = ExtractiveModel(letters, max_quotes=3)
    source = Source(1, "t", "。".join(f"第{n}句话说的是年假" for n in range(200)) + "。", (), 0.9, "zh")
    list(model.answer(AnswerRequest("年假", "zh", [source])))
    assert len(letters.asked) <= 12


def test_a_sentence_that_leans_on_the_one_before_brings_it_along() -> None:
    text = "Each employee has a learning budget. It does not carry over. The office is in Hangzhou."
    said = answer("Does it carry over?", text, language="en", quotes=1)
    assert "Each employee has a learning budget. It does not carry over." in said


def test_a_row_is_judged_by_itself_and_its_header() -> None:
    text = "| 故障码 | 处理 |\n| --- | --- |\n| E1042 | 切换信道 |\n| E1055 | 检查天线 |"
    assert answer("E1042 怎么处理", text, quotes=1).endswith("| E1042 | 切换信道 |”[1]")


def test_the_source_about_the_question_s_identifier_comes_first() -> None:
    said = answer(
        "What about error E1042?", "The gateway reports errors and error codes.", "E1042 表示信道拥塞。", quotes=1
    )
    assert "E1042 表示信道拥塞。" in said


def test_weak_quotes_in_the_question_s_own_language_are_no_answer() -> None:
    request = AnswerRequest("年假可以结转吗", "zh", [Source(1, "t", "公司位于北京市海淀区。", (), 0.5, "zh")])
    strict = ExtractiveModel(Letters(), max_quotes=3, min_evidence={"zh": 1.2})
    assert [part.text for part in strict.answer(request)] == [NO_ANSWER]


def test_quotes_without_the_amount_that_is_asked_for_are_no_answer() -> None:
    assert answer("网关的售价是多少？", "网关的售价由销售部决定。") == NO_ANSWER
    assert "1,200 元" in answer("网关的售价是多少？", "网关的售价是 1,200 元。")
    assert answer("What does a gateway cost?", "What a gateway does is explained.", language="en") == NO_ANSWER
    assert "1,200 yuan" in answer("What does a gateway cost?", "A gateway does cost 1,200 yuan.", language="en")


def test_a_follow_up_is_answered_by_what_says_its_own_words() -> None:
    text = "当年未休完的年休假可以结转到次年。病假须提交医院证明。"
    model, source = ExtractiveModel(Letters(), max_quotes=1), Source(1, "文件", text, (), 0.9, "zh")

    def said(focus: str) -> str:
        request = AnswerRequest("未休完的病假可以结转到次年吗", "zh", [source], focus=focus)
        return "".join(part.text for part in model.answer(request))

    assert "年休假可以结转" in said("")
    assert "病假须提交" in said("那病假呢？")
    assert "年休假可以结转" in said("那丧假呢？")  # nothing says it: as if it had not been a follow-up
