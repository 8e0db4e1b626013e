"""Which questions are the same question."""

import pytest

from kbcore.language.wording import wording


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("年假可以结转吗？", "请问年假可以结转吗"),
        ("年假可以結轉嗎？", "年假可以结转"),
        ("What is the hotel limit?", "what is a hotel limit"),
        ("Hotel limits in Beijing", "hotel limit in beijing!"),
        ("出差补贴是 3,000 元吗", "出差补贴是3000元吗？"),
        ("Please, what is FG-200?", "What is FG-200"),
    ],
)
def test_spelling_and_courtesy_make_no_other_question(one: str, other: str) -> None:
    assert wording(one) == wording(other) != ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("年假可以结转吗", "年假不可以结转吗"),
        ("Can leave be carried over?", "Can't leave be carried over?"),
        ("When does the contract end?", "Where does the contract end?"),
        ("谁批准三天的病假", "谁批准五天的病假"),
        ("from Beijing to Shanghai", "from Shanghai to Beijing"),
        ("从北京到上海的标准", "从上海到北京的标准"),
        ("error E1042", "error E1043"),
        ("what is FG-200", "what is FG-20"),
        ("请假要谁批准", "事假要谁批准"),
        ("什么时候发工资", "为什么发工资"),
        ("a + b", "a - b"),
        ("多少天", "几点"),
    ],
)
def test_what_asks_something_else_is_another_question(one: str, other: str) -> None:
    assert wording(one) != wording(other)


def test_a_question_without_words_is_none() -> None:
    assert wording(" ？！ ") == ()
