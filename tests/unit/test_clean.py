from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.clean.characters import normalize
from ingestion.clean.cjk_spacing import close_gaps
from ingestion.clean.line_breaks import is_hard_wrapped, join_lines, vocabulary
from ingestion.clean.pipeline import clean
from ingestion.clean.running_lines import separate_running_lines
from kbcore.domain.chunk import Element, ElementKind, Loaded
from kbcore.domain.media_types import DOCX, PDF, TEXT

H, T, L, B = ElementKind.HEADING, ElementKind.TEXT, ElementKind.LIST_ITEM, ElementKind.TABLE


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("e\u0301", "é"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("年\u200b假\ufeff五\u2060天", "年假五天"),
        ("pay\u202eroll\u202c", "payroll"),
        ("hi\U000e0041\U000e0042", "hi"),
        ("a\tb\xa0c\u2003d", "a b c d"),
        ("x\x00y\ud800z", "xyz"),
        ("⼈⼒资源 ofﬁce", "人力资源 office"),
        ("ＡＢＣ，１２３。（全角）", "ＡＢＣ，１２３。（全角）"),
        ("soft\xad\nware and hy\xadphen", "software and hyphen"),
        ("👩\u200d👧 a\u200db", "👩\u200d👧 ab"),
        ("\uf0b7 item", "• item"),
    ],
)
def test_characters(raw: str, expected: str) -> None:
    assert normalize(raw) == expected


def test_code_keeps_its_layout() -> None:
    assert normalize("if x:\r\n    y\n\n    z\n", keep_layout=True) == "if x:\n    y\n\n    z"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("其持股比 例超过 5%，应当披露。", "其持股比例超过 5%，应当披露。"),
        ("公 司 章 程", "公司章程"),
        ("使用 Kubernetes 部署 ，并 重启 。", "使用 Kubernetes 部署，并重启。"),
        ("张三 李四 王五", "张三 李四 王五"),
        ("持股比 例", "持股比例"),
        ("第二节 公司基本情况", "第二节 公司基本情况"),
        ("第十二条 员工休 假，应当提前申请。", "第十二条 员工休假，应当提前申请。"),
        ("The 持股 ratio", "The 持股 ratio"),
    ],
)
def test_spaces_inside_chinese_words_go_and_others_stay(raw: str, expected: str) -> None:
    assert close_gaps(raw) == expected


@pytest.mark.parametrize(
    ("raw", "elsewhere", "expected"),
    [
        ("an exam-\nple here", "", "an example here"),
        ("a well-\nknown fact", "it is well-known", "a well-known fact"),
        ("the post-\nKeynesian view", "", "the post-Keynesian view"),
        ("年假五天可以结\n转到下一年", "", "年假五天可以结转到下一年"),
        ("use TiDB\n部署", "", "use TiDB 部署"),
        ("2019-\n2020", "", "2019- 2020"),
    ],
)
def test_lines_are_joined_as_each_script_wants(raw: str, elsewhere: str, expected: str) -> None:
    assert join_lines(raw, vocabulary([elsewhere])) == expected


def test_hard_wraps_are_recognised_by_their_shape() -> None:
    prose = (
        "Annual leave is granted to every employee who has worked for the\n"
        "company for at least one year, and may be carried over to the next\n"
        "year with approval."
    )
    assert is_hard_wrapped(prose)
    assert not is_hard_wrapped("Name: Zhang San\nDepartment: Finance\nDate: 2026-01-01")
    assert not is_hard_wrapped(
        "第一条，员工应当遵守公司的各项规章制度，按时上下班，不得迟到早退。\n第二条，短。\n第三条。"
    )


def _page(number: int, body: str) -> list[Element]:
    return [
        Element(T, f"知库科技 员工手册\n{body}", page=number),
        Element(T, "正文最后一段。", page=number)
        if number == 2
        else Element(T, f"独有的段落{'甲乙丙丁'[number - 1]}", page=number),
        Element(T, f"第 {number} 页 共 4 页", page=number),
    ]


def test_running_headers_and_page_numbers_are_separated_and_counted() -> None:
    pages = [element for number in (1, 2, 3, 4) for element in _page(number, f"{'天地玄黄'[number - 1]}段\n接着")]
    separated = separate_running_lines(pages)
    kinds = [element.kind for element in separated]
    assert kinds.count(ElementKind.HEADER) == 4
    assert kinds.count(ElementKind.FOOTER) == 4
    stored, counts = clean(Loaded(tuple(pages), PDF, pages=4))
    assert "天段接着" in stored.text
    assert "员工手册" not in stored.text
    assert "共 4 页" not in stored.text
    assert (counts["header"], counts["footer"]) == (4, 4)


@pytest.mark.parametrize(
    "numeral", [str, ("0", "i", "ii", "iii", "iv", "v", "vi").__getitem__], ids=["arabic", "roman"]
)
def test_page_numbers_count_along_with_the_pages(numeral: Callable[[int], str]) -> None:
    pages = [Element(T, f"正文{'甲乙丙丁'[page - 1]}\n{numeral(page + 2)}", page=page) for page in (1, 2, 3, 4)]
    _, counts = clean(Loaded(tuple(pages), PDF, pages=4))
    assert counts == {"text": 4, "footer": 4}


def test_lines_that_differ_in_numbers_of_their_own_are_text() -> None:
    pages = [Element(T, f"住宿标准 {amount} 元\n{page}", page=page) for page, amount in ((1, 300), (2, 500), (3, 900))]
    stored, counts = clean(Loaded(tuple(pages), PDF, pages=3))
    assert counts == {"text": 3, "footer": 3}
    assert "500" in stored.text


def test_a_page_that_is_all_running_lines_keeps_its_words() -> None:
    pages = [Element(T, f"合同 第 {page} 页", page=page) for page in (1, 2, 3)]
    stored, _ = clean(Loaded(tuple(pages), PDF, pages=3))
    assert stored.text.count("合同") == 3


def test_lines_on_two_pages_only_are_kept() -> None:
    pages = [Element(T, "同一句话", page=number) for number in (1, 2)] + [Element(T, "别的", page=3)]
    assert separate_running_lines(pages) == pages


def test_pages_without_text_are_counted() -> None:
    _, counts = clean(Loaded((Element(T, "字", page=2),), PDF, pages=3))
    assert counts == {"text": 1, "pages_without_text": 2}


def test_outline_and_separators() -> None:
    loaded = Loaded(
        (
            Element(H, "标题", depth=1),
            Element(L, "一"),
            Element(L, "二"),
            Element(T, " "),
            Element(B, "| a |\n| 1 |", page=3),
        ),
        DOCX,
    )
    stored, counts = clean(loaded)
    assert stored.text == "标题\n\n一\n二\n\n| a |\n| 1 |"
    assert [stored.text[s.start : s.end] for s in stored.outline] == ["标题", "一", "二", "| a |\n| 1 |"]
    assert (stored.outline[0].depth, stored.outline[3].page) == (1, 3)
    assert counts == {"heading": 1, "list_item": 2, "table": 1}


_TEXT = st.text(st.sampled_from("持股比例，。 \n\t\u200b\u200d\u202e\xad-ab１（é\u0301\r⼈ﬁ👩5"), max_size=40)
_ELEMENT = st.builds(
    Element, st.sampled_from([H, T, L, B, ElementKind.CODE]), _TEXT, st.none() | st.integers(1, 4), st.none()
)


@given(_TEXT | st.text(max_size=40))
def test_normalizing_twice_changes_nothing(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once
    once.encode("utf-8")


@given(_TEXT)
def test_closing_gaps_twice_changes_nothing(text: str) -> None:
    once = close_gaps(normalize(text))
    assert close_gaps(once) == once


@settings(max_examples=200, deadline=None)
@given(st.lists(_ELEMENT, max_size=8), st.sampled_from([PDF, DOCX, TEXT]))
def test_cleaning_what_is_clean_changes_nothing(elements: list[Element], media_type: str) -> None:
    stored, _ = clean(Loaded(tuple(elements), media_type))
    assert all(stored.text[s.start : s.end].strip() for s in stored.outline)
    again = [Element(s.kind, stored.text[s.start : s.end], s.page, s.depth) for s in stored.outline]
    pure_text = DOCX if media_type == PDF else media_type
    assert clean(Loaded(tuple(again), pure_text))[0] == stored
