import pytest

from ingestion.load.headings import demote_runs, heading_depth
from kbcore.domain.chunk import Element, ElementKind

HEADINGS = [
    "第一编 通则",
    "第三章 休假",
    "第 12 章",
    "第二节 年假",
    "第十二条",
    "第十二条 【年假结转】",
    "附件2 报销单",
    "一、适用范围",
    "（二）审批流程",
    "1 范围",
    "1. Introduction",
    "1.2 年假的计算",
    "2.1.3 Carry-over of leave",
    "Chapter 3 Leave",
    "Appendix B",
    "Section 4.2 Scope",
]
TEXTS = [
    "第十二条 员工应当遵守公司的规章制度。",
    "第三章规定了年假的计算办法，详见下文",
    "2026年1月1日",
    "100 元",
    "3.5%",
    "一、二、三等奖各一名，",
    "1.5 倍工资",
    "The quick brown fox jumps.",
    "Chapter 3 describes what happens when leave is not taken within the year it was granted for",
    "",
    "年假",
]


@pytest.mark.parametrize("line", HEADINGS)
def test_headings(line: str) -> None:
    assert heading_depth(line) is not None


@pytest.mark.parametrize("line", TEXTS)
def test_texts(line: str) -> None:
    assert heading_depth(line) is None


def test_depths_order_the_kinds_of_headings() -> None:
    order = ["第一编 通则", "第一章 总则", "第一节 范围", "第一条", "一、范围", "（一）范围"]
    depths = [heading_depth(line) or 0 for line in order]
    assert depths == sorted(set(depths))


def test_numbered_lines_with_nothing_between_are_a_list() -> None:
    lines = ["1. 正式员工", "2. 实习生", "（一）范围"]
    elements = [Element(ElementKind.HEADING, line, depth=5) for line in lines]
    assert [element.kind.value for element in demote_runs(elements)] == ["list_item", "list_item", "heading"]
    apart = [elements[0], Element(ElementKind.TEXT, "正文。"), elements[1]]
    assert demote_runs(apart) == apart
