"""File names from outside lose everything that hides, escapes or commands."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbcore.errors import Unprocessable
from services.library.file_names import safe_file_name, title_from


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\年报 2026.docx", "年报 2026.docx"),
        ("C:\\fakepath\\a.txt", "a.txt"),
        ("a\x00b\r\nc.txt", "ab  c.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        (".env", ".env"),
        ("a.txt.", "a.txt"),
        ("e\u0301.md", "\u00e9.md"),
    ],
)
def test_names_are_reduced_to_their_harmless_last_part(raw: str, safe: str) -> None:
    assert safe_file_name(raw) == safe


@pytest.mark.parametrize("raw", ["", ".", "..", "/", "a/", "\x00", "\u200b\u202e", "  . "])
def test_a_name_of_nothing_is_refused(raw: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        safe_file_name(raw)
    assert refusal.value.code == "file_name_missing"


@given(st.text(max_size=400))
def test_a_safe_name_is_one_harmless_part_and_stays_itself(raw: str) -> None:
    try:
        name = safe_file_name(raw)
    except Unprocessable:
        return
    assert "/" not in name
    assert "\\" not in name
    assert name not in (".", "..")
    assert len(name.encode()) <= 255
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in name)
    assert safe_file_name(name) == name


def test_a_long_name_keeps_its_extension() -> None:
    name = safe_file_name("长" * 300 + ".docx")
    assert name.endswith("长.docx")
    assert len(name.encode()) <= 255


def test_a_title_is_the_name_without_its_extension() -> None:
    assert [title_from(name) for name in ("a.b.pdf", "README", ".env")] == ["a.b", "README", ".env"]
