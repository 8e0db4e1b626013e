"""The sample company: what its manifest promises stands in its files."""

import io
import re
import zipfile
from collections import Counter
from pathlib import Path

import docx
import openpyxl
import pypdfium2
import pytest

from kbcore.domain.document import Classification
from kbcore.language.script import detect_language
from services.cli.golden_file import read_golden_file
from services.demo.manifest import SAMPLES, SampleDocument, SampleQuestion, manifest
from services.evaluation.thresholds import MIN_ANSWERABLE, MIN_UNANSWERABLE
from tests.samples import make

COMPANY = manifest()
PEOPLE = {person.name: person for person in COMPANY.people}


def text_of(file: str) -> str:
    """A sample's text, by the plainest means."""
    path = SAMPLES / file
    if path.suffix == ".pdf":
        with pypdfium2.PdfDocument(path) as pdf:
            return "\n".join(page.get_textpage().get_text_range() for page in pdf)
    if path.suffix == ".docx":
        document = docx.Document(str(path))
        cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
        return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])
    if path.suffix == ".xlsx":
        sheet = openpyxl.load_workbook(path).active
        return "\n".join(str(cell) for row in sheet.iter_rows(values_only=True) for cell in row)
    encoding = "gb18030" if file == "public/visitors-meeting-rooms.txt" else "utf-8"
    return path.read_text(encoding=encoding)


def readers_of(document: SampleDocument) -> set[str]:
    """Whom the space's policy and the classification let read it; the administrator is granted every space."""
    groups = next(space.readers for space in COMPANY.spaces if space.name == document.space)
    level = Classification.of(document.classification)
    return {"admin"} | {
        name
        for name, person in PEOPLE.items()
        if set(person.groups) & set(groups) and Classification.of(person.clearance) >= level
    }


def test_every_file_belongs_to_a_document_and_exists() -> None:
    named = {file for document in COMPANY.documents for file in document.files}
    present = {path.relative_to(SAMPLES).as_posix() for path in SAMPLES.rglob("*") if path.is_file()}
    assert named == present - {"samples.toml", "sample-questions.jsonl"}


def test_the_sample_questions_name_documents_that_are_there_and_are_enough_to_calibrate() -> None:
    places = {(document.space, document.external_id) for document in COMPANY.documents if not document.broken}
    counts: Counter[tuple[str, bool]] = Counter()
    for entry in read_golden_file(SAMPLES / "sample-questions.jsonl", None):
        assert {(named["space"], named["external_id"]) for named in entry["documents"]} <= places
        counts[detect_language(entry["question"]), bool(entry["documents"])] += 1
    for language in ("zh", "en"):
        assert counts[language, True] > MIN_ANSWERABLE
        assert counts[language, False] > MIN_UNANSWERABLE


def test_spaces_groups_and_external_ids_fit_together() -> None:
    spaces = {space.name for space in COMPANY.spaces}
    groups = {group.name for group in COMPANY.groups}
    assert {document.space for document in COMPANY.documents} == spaces == {"public", "hr", "finance", "engineering"}
    assert {name for space in COMPANY.spaces for name in space.readers} <= groups
    assert {name for person in COMPANY.people for name in person.groups} <= groups
    assert len({document.external_id for document in COMPANY.documents}) == len(COMPANY.documents)


def test_the_corpus_has_the_promised_variety() -> None:
    suffixes = {Path(file).suffix for document in COMPANY.documents for file in document.files}
    assert suffixes >= {".md", ".txt", ".html", ".pdf", ".docx", ".csv", ".xlsx"}
    assert any(len(document.files) > 1 for document in COMPANY.documents)
    with pytest.raises(UnicodeDecodeError):
        (SAMPLES / "public/visitors-meeting-rooms.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("question", [q for q in COMPANY.questions if q.document], ids=lambda q: q.document)
def test_the_answer_stands_in_the_document_and_its_readers_are_those_promised(question: SampleQuestion) -> None:
    document = next(d for d in COMPANY.documents if d.external_id == question.document)
    assert question.contains is not None
    assert question.contains in text_of(document.files[-1])
    for older in document.files[:-1]:
        assert question.contains not in text_of(older)
    assert set(question.answered_for) == readers_of(document)


def test_some_questions_divide_people_and_one_nobody_gets_an_answer_to() -> None:
    answered = [set(question.answered_for) for question in COMPANY.questions]
    assert set() in answered
    assert {"hr", "admin"} in answered
    assert {"finance", "admin"} in answered
    assert {*PEOPLE, "admin"} in answered


@pytest.mark.parametrize(("source", "made"), make.MADE.items(), ids=make.MADE.values())
def test_made_files_hold_their_source(source: str, made: str) -> None:
    text = (make.SOURCES / source).read_text(encoding="utf-8")
    words = re.findall(r"[一-鿿]{2,6}|[A-Za-z]{4,}|\d[\d,.]+\d", text)
    flat = re.sub(r"\s", "", text_of(made)).replace("\ufffe", "").replace("-", "")
    missing = [word for word in words if word.replace(",", "") not in flat.replace(",", "")]
    assert len(words) > 30
    assert missing == []


def test_office_files_are_made_without_a_clock() -> None:
    first, again = io.BytesIO(), io.BytesIO()
    for buffer in (first, again):
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(
                "docProps/core.xml", '<dcterms:modified xsi:type="x">2031-05-06T07:08:09Z</dcterms:modified>'
            )
    assert make.without_times(first.getvalue()) == make.without_times(again.getvalue())
    with zipfile.ZipFile(io.BytesIO(make.without_times(first.getvalue()))) as archive:
        assert b"2026-01-01T00:00:00Z" in archive.read("docProps/core.xml")


def test_the_broken_sample_is_broken() -> None:
    [broken] = [document for document in COMPANY.documents if document.broken]
    assert broken.files == (make.BROKEN,)
    with pytest.raises(pypdfium2.PdfiumError):
        pypdfium2.PdfDocument(SAMPLES / make.BROKEN)
