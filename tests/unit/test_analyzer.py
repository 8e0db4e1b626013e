"""The analyzer: what a person types finds what a document says."""

import sys
from concurrent.futures import ThreadPoolExecutor
from subprocess import run

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbcore.language.analyzer import MAX_TERM_CHARS, terms

FINDS = [
    ("EX-900/2", "the EX-900/2 controller"),
    ("ex 900", "the EX-900/2 controller"),
    ("AX300", "型号AX300的保修期为两年"),
    ("300", "型号AX300的保修期为两年"),
    ("E1234", "故障码 E1234：电压过低"),
    ("10.0.0.1", "连接 10.0.0.1:8080 失败"),
    ("2024-03", "生效日期：2024-03"),
    ("li.ming@example.com", "请联系 li.ming@example.com。"),
    ("li ming", "请联系 li.ming@example.com。"),
    ("report_final.docx", "see report_final.docx"),
    ("1234567", "总额 1,234,567 元"),
    ("ＡＸ３００", "ax300"),
    ("請假規定", "请假规定"),
    ("请假", "員工請假辦法"),
    ("policies", "the travel policy"),
    ("running tests", "the test runs"),
    ("employee's", "every employee"),
    ("C++", "written in C++"),
    ("C#", "written in C#"),
    ("café", "CAFÉ"),
    ("第五十四条", "《民法典》第五十四条规定"),
]


@pytest.mark.parametrize(("question", "document"), FINDS)
def test_every_term_of_the_question_is_in_the_document(question, document):
    assert terms(question)
    assert set(terms(question)) <= set(terms(document))


@pytest.mark.parametrize("text", ["", "  \n", "……！？——", "?!.,;", "\x00\x01", "😀", "the of and", "的了吗"])
def test_nothing_to_find_gives_no_terms(text):
    assert terms(text) == []


def test_repetitions_are_kept_for_counting():
    assert terms("税 税 tax taxes") == ["税", "税", "tax", "tax"]


def test_identifiers_keep_their_exact_form():
    assert "rb-5" in terms("RB-5")
    assert "rb-5" not in terms("RB 5")
    assert "c++" not in terms("C#")


@pytest.mark.parametrize("date", ["2024年3月", "2024-03", "2024-03-15", "2024/3/15"])
def test_ways_to_write_a_month_meet_in_its_numbers(date):
    assert {"2024", "3"} <= set(terms(date))


def test_words_joined_by_a_hyphen_are_the_words():
    assert terms("full-time") == terms("full time")


@given(st.text(st.characters(exclude_categories=["Cn", "Cs"]), max_size=300))
def test_any_text_gives_clean_terms(text):
    for term in terms(text):
        assert 0 < len(term) <= MAX_TERM_CHARS
        assert not term.isspace()
        assert any(character.isalnum() for character in term)


@given(st.text(max_size=100))
def test_case_and_width_do_not_matter(text):
    assert terms(text.upper().lower()) == terms(text.upper())


@given(st.text(max_size=60), st.text(max_size=60))
def test_lines_are_independent(first, second):
    assert terms(f"{first}\n{second}") == terms(first) + terms(second)


@pytest.mark.parametrize("run_of", ["a-", "1,234", "1.", "ab_", "第", "a1", "'s", "+#"])
def test_long_runs_take_linear_time(run_of):
    """A regular expression that backtracks would not end within the suite's timeout."""
    assert len(terms(run_of * 100_000 + "!")) <= 400_000


def test_threads_share_the_dictionaries():
    texts = [f"第{n}条 员工可以申请年假 EX-{n}" for n in range(64)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(terms, texts)) == [terms(text) for text in texts]


def test_importing_loads_no_dictionary():
    code = "import sys, kbcore.language.analyzer; print(*{'rjieba', 'opencc', 'snowballstemmer'} & set(sys.modules))"
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
