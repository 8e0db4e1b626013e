import email.message
import io
import json
import zipfile
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest

from ingestion.load.limits import Limits
from ingestion.load.read import LOADERS, read
from kbcore.domain import media_types as known
from kbcore.domain.chunk import ElementKind, Loaded
from kbcore.errors import ItemError, ItemFailed, ItemSkipped

H, T, L, B, C = (
    ElementKind.HEADING,
    ElementKind.TEXT,
    ElementKind.LIST_ITEM,
    ElementKind.TABLE,
    ElementKind.CODE,
)


def load(folder: Path, name: str, data: bytes | str, limits: Limits | None = None) -> Loaded:
    path = folder / "upload"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read(path, name, limits or Limits())


def shape(loaded: Loaded) -> list[tuple[ElementKind, str]]:
    return [(element.kind, element.text) for element in loaded.elements]


def word_file() -> bytes:
    document = docx.Document()
    document.core_properties.title = "员工手册"
    document.sections[0].header.paragraphs[0].text = "知库科技"
    document.add_heading("第三章 休假", level=1)
    document.add_heading("年假", level=2)
    document.add_paragraph("员工每年享有五天带薪年假。")
    document.add_paragraph("可以结转", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for row, cells in enumerate((("工龄", "天数"), ("一年", "5"))):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    return saved(document)


def saved(document: object) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)  # type: ignore[attr-defined]
    return buffer.getvalue()


def rezipped(data: bytes, replace: dict[bytes, bytes]) -> bytes:
    """The container with bytes replaced in every part."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w") as target:
        for member in source.infolist():
            part = source.read(member)
            for old, new in replace.items():
                part = part.replace(old, new)
            target.writestr(member.filename, part)
    return buffer.getvalue()


WORD_SHAPE = [
    (ElementKind.HEADER, "知库科技"),
    (H, "第三章 休假"),
    (H, "年假"),
    (T, "员工每年享有五天带薪年假。"),
    (L, "- 可以结转"),
    (B, "| 工龄 | 天数 |\n| 一年 | 5 |"),
]


def test_docx(tmp_path: Path) -> None:
    loaded = load(tmp_path, "手册.docx", word_file())
    assert shape(loaded) == WORD_SHAPE
    assert [element.depth for element in loaded.elements if element.kind is H] == [1, 2]
    assert (loaded.title, loaded.media_type) == ("员工手册", known.DOCX)


@pytest.mark.parametrize(
    "replace",
    [
        {b"wordprocessingml.document.main+xml": b"wordprocessingml.template.main+xml"},
        {
            b"openxmlformats-officedocument.wordprocessingml.document.main": b"ms-word.document.macroEnabled.main",
        },
        {
            b"http://schemas.openxmlformats.org/wordprocessingml/2006/": b"http://purl.oclc.org/ooxml/wordprocessingml/",
            b"http://schemas.openxmlformats.org/officeDocument/2006/": b"http://purl.oclc.org/ooxml/officeDocument/",
        },
    ],
    ids=["template", "macro-enabled", "strict"],
)
def test_other_kinds_of_word_files(tmp_path: Path, replace: dict[bytes, bytes]) -> None:
    assert shape(load(tmp_path, "a.docx", rezipped(word_file(), replace))) == WORD_SHAPE


def test_docx_without_styles_gets_headings_by_wording(tmp_path: Path) -> None:
    document = docx.Document()
    for line in (
        "第一章 总则",
        "本办法适用于全体员工。",
        "公司另有规定的除外。",
        "第二章 附则",
        "本办法自发布之日起施行。",
    ):
        document.add_paragraph(line)
    assert [kind for kind, _ in shape(load(tmp_path, "a.docx", saved(document)))] == [H, T, T, H, T]


def test_pptx_with_notes_and_pages(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    for title, body in (("议程", "第一点"), ("预算", "一百万")):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, body
    deck.slides[1].notes_slide.notes_text_frame.text = "备注：保密"
    loaded = load(tmp_path, "a.pptx", saved(deck))
    assert (H, "议程") in shape(loaded)
    assert {element.text: element.page for element in loaded.elements} == {
        "议程": 1,
        "第一点": 1,
        "预算": 2,
        "一百万": 2,
        "备注：保密": 2,
    }
    assert loaded.pages == 2


def test_xlsx_sheets_tables_and_hidden_sheets(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "报销"
    for row in (["项目", "上限"], ["住宿", 500], ["餐饮", 100.5], [], ["备注"], ["含税"]):
        sheet.append(row)
    hidden = book.create_sheet("工资")
    hidden["A1"] = "机密"
    hidden.sheet_state = "hidden"
    loaded = load(tmp_path, "a.xlsx", saved(book))
    assert shape(loaded) == [
        (H, "报销"),
        (B, "| 项目 | 上限 |\n| 住宿 | 500 |\n| 餐饮 | 100.5 |"),
        (B, "| 备注 |\n| 含税 |"),
    ]


def test_markdown(tmp_path: Path) -> None:
    text = (
        "---\ntitle: 部署指南\n---\n# 安装\n先看要求：\n- Linux\n- 2 核\n\n1. 下载\n2. 运行\n\n"
        "```sh\nmake  run\n```\n\n| 键 | 值 |\n|---|---|\n| a | 1 |\n\n<script>alert(1)</script>\n"
    )
    loaded = load(tmp_path, "a.md", text)
    assert loaded.title == "部署指南"
    assert shape(loaded) == [
        (H, "安装"),
        (T, "先看要求："),
        (L, "- Linux"),
        (L, "- 2 核"),
        (L, "1. 下载"),
        (L, "2. 运行"),
        (C, "make  run"),
        (B, "| 键 | 值 |\n| a | 1 |"),
    ]


def test_html_leaves_out_what_a_reader_does_not_see(tmp_path: Path) -> None:
    page = (
        "<html><head><title>制度</title><style>p{}</style></head><body><h1>考勤</h1><p>九点上班。</p>"
        "<p style='display:none'>隐藏</p><p hidden>也隐藏</p><script>x()</script><!-- 注释 -->"
        "<dl><dt>年假</dt><dd>五天</dd></dl>"
        "<table><tr><th>部门</th><th>人</th></tr><tr><td rowspan=2>财务</td><td>张</td></tr>"
        "<tr><td>李</td></tr></table><form><details><summary>更多</summary>无</details></form>"
        "<table><tr><td><h2>版面</h2><p>表格排版</p></td></tr></table></body></html>"
    )
    loaded = load(tmp_path, "a.html", page.encode("gbk"))
    assert loaded.title == "制度"
    assert shape(loaded) == [
        (H, "考勤"),
        (T, "九点上班。"),
        (T, "年假"),
        (T, "五天"),
        (B, "| 部门 | 人 |\n| 财务 | 张 |\n| 财务 | 李 |"),
        (T, "更多"),
        (T, "无"),
        (H, "版面"),
        (T, "表格排版"),
    ]


def test_plain_text_headings_lists_and_paragraphs(tmp_path: Path) -> None:
    text = (
        "第一章 总则\n\n本制度适用于全体员工。\n继续一行。\n\n一、范围\n1. 正式员工\n2. 实习生\n\n"
        "Scope\n=====\nAll staff."
    )
    assert shape(load(tmp_path, "a.txt", text)) == [
        (H, "第一章 总则"),
        (T, "本制度适用于全体员工。\n继续一行。"),
        (H, "一、范围"),
        (L, "1. 正式员工"),
        (L, "2. 实习生"),
        (H, "Scope"),
        (T, "All staff."),
    ]


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.csv", '姓名,部门\n张三,"财务,部"\n', "| 姓名 | 部门 |\n| 张三 | 财务,部 |"),
        ("a.csv", "a;b\n1,5;2\n", "| a | b |\n| 1,5 | 2 |"),
        ("a.tsv", "a\tb\n1\t2|3\n", "| a | b |\n| 1 | 2\\|3 |"),
        ("a.json", '[{"a": 1, "b": null}, {"a": "二", "c": true}]', "| a | b | c |\n| 1 | | |\n| 二 | | true |"),
        ("a.jsonl", '{"a": 1}\n{"a": 2}\n', "| a |\n| 1 |\n| 2 |"),
    ],
)
def test_tables_of_values(tmp_path: Path, name: str, data: str, expected: str) -> None:
    ((kind, text),) = shape(load(tmp_path, name, data))
    assert kind is B
    assert [line.split() for line in text.split("\n")] == [line.split() for line in expected.split("\n")]


def test_nested_json_becomes_paths(tmp_path: Path) -> None:
    assert shape(load(tmp_path, "a.json", json.dumps({"a": {"b": [1, 2], "c": [{"d": "x"}]}}))) == [
        (T, "a.b: 1, 2\na.c.1.d: x")
    ]


def test_eml_in_gb2312(tmp_path: Path) -> None:
    message = email.message.EmailMessage()
    message["Subject"], message["From"], message["To"] = "关于年假", "张三 <z@example.com>", "l@example.com"
    message.set_content("各位：\n\n年假可以结转。镕\n", charset="gbk")
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="通知.pdf")
    data = message.as_bytes().replace(b'charset="gbk"', b'charset="gb2312"')
    assert shape(load(tmp_path, "a.eml", data)) == [
        (H, "关于年假"),
        (T, "From: 张三 <z@example.com>\nTo: l@example.com"),
        (T, "各位："),
        (T, "年假可以结转。镕"),
        (T, "Attachments (not read): 通知.pdf"),
    ]


def test_odt_and_epub(tmp_path: Path) -> None:
    office = "urn:oasis:names:tc:opendocument:xmlns"
    content = (
        f'<o:document-content xmlns:o="{office}:office:1.0" xmlns:t="{office}:text:1.0" xmlns:b="{office}:table:1.0">'
        '<o:body><o:text><t:h t:outline-level="2">休假</t:h><t:p>年假<t:s/>五天</t:p><t:list><t:list-item>'
        "<t:p>结转</t:p></t:list-item></t:list><b:table><b:table-row><b:table-cell><t:p>a</t:p></b:table-cell><b:table-cell>"
        "<t:p>b</t:p></b:table-cell></b:table-row></b:table></o:text></o:body></o:document-content>"
    )
    odt = io.BytesIO()
    with zipfile.ZipFile(odt, "w") as archive:
        archive.writestr("mimetype", known.ODT)
        archive.writestr("content.xml", content)
    assert shape(load(tmp_path, "a.odt", odt.getvalue())) == [
        (H, "休假"),
        (T, "年假 五天"),
        (L, "- 结转"),
        (B, "| a | b |"),
    ]
    epub = io.BytesIO()
    with zipfile.ZipFile(epub, "w") as archive:
        archive.writestr("mimetype", known.EPUB)
        archive.writestr("META-INF/container.xml", "<c><rootfile full-path='o/p.opf'/></c>")
        archive.writestr(
            "o/p.opf",
            "<p><metadata><title>书</title></metadata><manifest><item id='1' href='a.xhtml'/>"
            "<item id='2' href='b.xhtml'/></manifest><spine><itemref idref='2'/><itemref idref='1'/></spine></p>",
        )
        archive.writestr("o/a.xhtml", "<html><body><p>后</p></body></html>")
        archive.writestr("o/b.xhtml", "<html><body><p>先</p></body></html>")
    loaded = load(tmp_path, "a.epub", epub.getvalue())
    assert (loaded.title, shape(loaded)) == ("书", [(T, "先"), (T, "后")])


@pytest.mark.parametrize(
    ("name", "data", "kind", "code"),
    [
        ("a.txt", b"", ItemSkipped, "empty_file"),
        ("a.txt", b" \n\t\n", ItemSkipped, "empty_file"),
        ("a.xyz", b"text of an unknown type", ItemSkipped, "unsupported_media_type"),
        ("a.exe", b"MZ\x90\x00", ItemSkipped, "unsupported_media_type"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(50), ItemSkipped, "unsupported_media_type"),
        ("a.rtf", rb"{\rtf1 hello}", ItemSkipped, "unsupported_media_type"),
        ("a.pdf", b"not a pdf at all", ItemFailed, "broken_file"),
        ("a.pdf", b"%PDF-1.7\n%broken", ItemFailed, "broken_file"),
        ("a.docx", b"PK\x03\x04broken", ItemFailed, "broken_file"),
        ("a.docx", b"plain text in a docx", ItemFailed, "broken_file"),
        ("a.json", b'{"a": 1,}', ItemFailed, "broken_file"),
        ("a.json", b"[" * 100_000, ItemFailed, "broken_file"),
        ("a.html", b"<html><body><script>x</script></body></html>", ItemFailed, "no_text"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, data: bytes, kind: type[ItemError], code: str) -> None:
    with pytest.raises(kind) as reason:
        load(tmp_path, name, data)
    assert reason.value.code == code
    assert len(reason.value.detail) > 15
    assert name not in reason.value.detail  # it may be as telling as the document


def test_content_wins_over_a_wrong_extension(tmp_path: Path) -> None:
    assert shape(load(tmp_path, "a.txt", word_file())) == WORD_SHAPE
    assert load(tmp_path, "a.txt", "<!DOCTYPE html><html><p>x</p></html>").media_type == known.HTML
    assert load(tmp_path, "README", "no extension").media_type == known.TEXT


def test_limits(tmp_path: Path) -> None:
    with pytest.raises(ItemFailed) as reason:
        load(tmp_path, "a.txt", "字" * 11, Limits(max_text_chars=10))
    assert reason.value.code == "too_much_text"


def test_the_same_bytes_give_the_same_result(tmp_path: Path) -> None:
    data = word_file()
    assert load(tmp_path, "a.docx", data) == load(tmp_path, "a.docx", data)


def test_every_supported_type_has_a_loader() -> None:
    assert set(LOADERS) == set(known.SUPPORTED)
