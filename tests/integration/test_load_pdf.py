import io
from collections.abc import Callable
from pathlib import Path

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Table

from ingestion.clean.pipeline import clean
from ingestion.load.limits import Limits
from ingestion.load.read import read
from kbcore.domain.chunk import ElementKind, Loaded
from kbcore.errors import ItemFailed

FONT = "STSong-Light"
Draw = Callable[[Canvas], None]


def pdf(*pages: Draw, password: str | None = None) -> bytes:
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, encrypt=password, invariant=True)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def lines(canvas: Canvas, texts: list[str], top: float = 780, size: float = 12, left: float = 72) -> None:
    for number, text in enumerate(texts):
        canvas.setFont(FONT, size)
        canvas.drawString(left, top - number * size * 1.4, text)


def load(folder: Path, data: bytes, limits: Limits | None = None) -> Loaded:
    path = folder / "a.pdf"
    path.write_bytes(data)
    return read(path, "a.pdf", limits or Limits())


def handbook_page(number: int) -> Draw:
    def draw(canvas: Canvas) -> None:
        lines(canvas, ["知库科技有限公司员工手册"], top=810, size=9)
        lines(canvas, [f"第{'一二三四'[number - 1]}章 休假"], top=770, size=18)
        kind = ["年", "病", "婚", "产"][number - 1]
        lines(
            canvas,
            [f"员工每年享有五天带薪{kind}假，工龄满十年的享有十天，未休完的{kind}", f"假可以结转{kind}。"],
            top=730,
        )
        lines(canvas, [f"第 {number} 页 共 4 页"], top=40, size=9, left=280)

    return draw


def test_paragraphs_headings_and_running_lines(tmp_path: Path) -> None:
    loaded = load(tmp_path, pdf(*(handbook_page(number) for number in (1, 2, 3, 4))))
    stored, counts = clean(loaded)
    assert loaded.pages == 4
    assert stored.text.split("\n\n")[:2] == [
        "第一章 休假",
        "员工每年享有五天带薪年假，工龄满十年的享有十天，未休完的年假可以结转年。",
    ]
    assert counts == {"heading": 4, "text": 4, "header": 4, "footer": 4}
    assert [span.page for span in stored.outline if span.kind is ElementKind.HEADING] == [1, 2, 3, 4]


def test_a_ruled_table_is_a_table_and_its_text_stands_once(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        lines(canvas, ["报销标准如下："])
        rows = [["项目", "上限（元）"], ["住宿", "500"], ["餐饮", "100"]]
        table = Table(
            rows, colWidths=120, style=[("GRID", (0, 0), (-1, -1), 1, "black"), ("FONT", (0, 0), (-1, -1), FONT)]
        )
        table.wrapOn(canvas, 400, 400)
        table.drawOn(canvas, 72, 600)
        lines(canvas, ["以上标准自发布之日起执行。"], top=560)

    stored, counts = clean(load(tmp_path, pdf(draw)))
    assert stored.text == (
        "报销标准如下：\n\n| 项目 | 上限（元） |\n| 住宿 | 500 |\n| 餐饮 | 100 |\n\n以上标准自发布之日起执行。"
    )
    assert counts["table"] == 1


def test_hyphenated_words_are_made_whole(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        lines(canvas, ["The employee may carry over un-", "used annual leave into the follow-", "ing year."])

    stored, _ = clean(load(tmp_path, pdf(draw)))
    assert stored.text == "The employee may carry over unused annual leave into the following year."


def test_pages_without_text_are_counted(tmp_path: Path) -> None:
    def picture(canvas: Canvas) -> None:
        canvas.rect(100, 100, 200, 200, fill=1)

    _, counts = clean(load(tmp_path, pdf(handbook_page(1), picture)))
    assert counts["pages_without_text"] == 1


@pytest.mark.parametrize(
    ("data", "limits", "code"),
    [
        (lambda: pdf(lambda canvas: canvas.rect(1, 1, 9, 9)), Limits(), "no_text"),
        (lambda: pdf(handbook_page(1), password="geheim"), Limits(), "encrypted"),
        (lambda: pdf(*[handbook_page(1)] * 3), Limits(max_pages=2), "too_many_pages"),
        (lambda: pdf(*[handbook_page(1)] * 3), Limits(max_text_chars=60), "too_much_text"),
        (lambda: pdf(handbook_page(1))[:400], Limits(), "broken_file"),
    ],
)
def test_reasons(tmp_path: Path, data: Callable[[], bytes], limits: Limits, code: str) -> None:
    with pytest.raises(ItemFailed) as reason:
        load(tmp_path, data(), limits)
    assert reason.value.code == code


def test_the_page_of_the_reason_is_given(tmp_path: Path) -> None:
    with pytest.raises(ItemFailed) as reason:
        load(tmp_path, pdf(*[handbook_page(1)] * 3), Limits(max_text_chars=90))
    assert reason.value.page == 2
