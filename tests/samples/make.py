"""Make the sample documents that are not plain text: `python -m tests.samples.make` fills services/demo/samples.

The sources are Markdown (headings, paragraphs, lists, tables) and CSV. The output is the same, byte for byte,
each time.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from docx import Document
from openpyxl import Workbook
from openpyxl.styles import Font
from reportlab.lib import colors
from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

SOURCES = Path(__file__).parent / "sources"
SAMPLES = Path(__file__).parents[2] / "services" / "demo" / "samples"
MADE = {
    "annual-leave.md": "public/annual-leave.docx",
    "information-security.md": "public/information-security.pdf",
    "performance-review.md": "hr/performance-review.pdf",
    "salary-bands.md": "hr/salary-bands-2026.docx",
    "disciplinary-grievance.md": "hr/disciplinary-grievance.docx",
    "headcount-2026.csv": "hr/headcount-2026.xlsx",
    "q3-2026-review.md": "finance/q3-2026-review.docx",
    "fx-risk-policy.md": "finance/fx-risk-policy.pdf",
    "sn30-datasheet.md": "engineering/sn30-datasheet.pdf",
    "data-retention.md": "engineering/data-retention.docx",
}
BROKEN = "public/employee-handbook-2019.pdf"
FIXED_TIME = datetime(2026, 1, 1)
CHINESE_FONT = "STSong-Light"


@dataclass(frozen=True)
class Block:
    """A heading (`depth` 1-3), a paragraph, a list item or a table (`rows`, the first one is the header)."""

    kind: str
    text: str = ""
    depth: int = 0
    rows: tuple[tuple[str, ...], ...] = ()


def parse(markdown: str) -> Iterator[Block]:
    """The blocks of a source, which is separated by blank lines."""
    for part in markdown.strip().split("\n\n"):
        lines = part.splitlines()
        if part.startswith("#"):
            marks, text = part.split(" ", 1)
            yield Block("heading", text, depth=len(marks))
        elif part.startswith("|"):
            cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
            yield Block("table", rows=(cells[0], *cells[2:]))
        elif part.startswith(("- ", "1. ")):
            yield from (Block("numbered" if line[0].isdigit() else "item", line.split(" ", 1)[1]) for line in lines)
        else:
            yield Block("paragraph", part)


def make_docx(blocks: list[Block], target: Path) -> None:
    document = Document()
    document.core_properties.created = document.core_properties.modified = FIXED_TIME
    document.core_properties.title = blocks[0].text
    document.core_properties.author = "Qinghe Technologies"
    styles = {"item": "List Bullet", "numbered": "List Number", "paragraph": None}
    for block in blocks:
        if block.kind == "heading":
            document.add_heading(block.text, level=block.depth)
        elif block.kind == "table":
            table = document.add_table(rows=0, cols=len(block.rows[0]), style="Table Grid")
            for row in block.rows:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
        else:
            document.add_paragraph(block.text, style=styles[block.kind])
    buffer = io.BytesIO()
    document.save(buffer)
    target.write_bytes(without_times(buffer.getvalue()))


def make_xlsx(rows: list[list[str]], target: Path) -> None:
    workbook = Workbook()
    sheet = workbook.active
    sheet.title = "编制"
    for row in rows:
        sheet.append([int(cell) if cell.isdigit() else cell for cell in row])
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    workbook.properties.created = workbook.properties.modified = FIXED_TIME
    buffer = io.BytesIO()
    workbook.save(buffer)
    target.write_bytes(without_times(buffer.getvalue()))


def make_pdf(blocks: list[Block], target: Path) -> None:
    title = blocks[0].text
    chinese = any("\u4e00" <= character <= "\u9fff" for character in title)
    styles = pdf_styles(CHINESE_FONT if chinese else "Helvetica", wrap="CJK" if chinese else "LTR")
    flow: list[Flowable] = []
    for block in blocks:
        if block.kind == "table":
            flow += [pdf_table(block, styles["cell"]), Spacer(0, 4 * mm)]
        elif block.kind == "heading":
            flow.append(Paragraph(block.text, styles[f"h{block.depth}"]))
        else:
            flow.append(Paragraph(block.text, styles["body"]))

    def running_lines(canvas: Canvas, _: object) -> None:
        canvas.setFont(CHINESE_FONT if chinese else "Helvetica", 9)
        canvas.drawString(18 * mm, 197 * mm, f"青禾科技　{title}" if chinese else f"Qinghe Technologies - {title}")
        page = canvas.getPageNumber()
        canvas.drawCentredString(74 * mm, 10 * mm, f"第 {page} 页" if chinese else f"Page {page}")

    margins = {"leftMargin": 18 * mm, "rightMargin": 18 * mm, "topMargin": 22 * mm, "bottomMargin": 20 * mm}
    document = SimpleDocTemplate(
        str(target), pagesize=A5, title=title, author="Qinghe Technologies", invariant=1, **margins
    )
    document.build(flow, onFirstPage=running_lines, onLaterPages=running_lines)


def pdf_styles(font: str, *, wrap: str) -> dict[str, ParagraphStyle]:
    base = ParagraphStyle(
        "body", fontName=font, fontSize=11, leading=19, spaceAfter=8, alignment=TA_LEFT, wordWrap=wrap
    )
    heading = {"leading": 30, "spaceBefore": 12, "keepWithNext": 1}
    return {
        "body": base,
        "cell": ParagraphStyle("cell", base, leading=15, spaceAfter=0, fontSize=10),
        "h1": ParagraphStyle("h1", base, fontSize=17, **heading),
        "h2": ParagraphStyle("h2", base, fontSize=13, **heading),
        "h3": ParagraphStyle("h3", base, fontSize=13, **heading),
    }


def pdf_table(block: Block, style: ParagraphStyle) -> Table:
    table = Table([[Paragraph(cell, style) for cell in row] for row in block.rows])
    table.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.grey)]))
    return table


def without_times(archive: bytes) -> bytes:
    """The same zip with every member dated alike: equal content gives equal bytes, so nothing is ingested twice."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                content = fixed_core_times(content)
            new.writestr(zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def fixed_core_times(xml: bytes) -> bytes:
    """openpyxl writes the time of saving as `modified`, whatever the properties say."""
    return re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2026-01-01T00:00:00Z", xml)


def main() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont(CHINESE_FONT))
    for source, made in MADE.items():
        text, target = (SOURCES / source).read_text(encoding="utf-8"), SAMPLES / made
        if target.suffix == ".xlsx":
            make_xlsx(list(csv.reader(text.splitlines())), target)
        elif target.suffix == ".docx":
            make_docx(list(parse(text)), target)
        else:
            make_pdf(list(parse(text)), target)
        print(f"{target.relative_to(SAMPLES)}  {target.stat().st_size:,} bytes")
    whole = (SAMPLES / "public/information-security.pdf").read_bytes()
    (SAMPLES / BROKEN).write_bytes(whole[:700])  # a download that broke off: it ends as `failed` in the ledger


if __name__ == "__main__":
    main()
