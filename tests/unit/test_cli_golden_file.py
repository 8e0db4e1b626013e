"""Golden sets in files, as `zhiku eval` reads them."""

import json
from pathlib import Path

import pytest

from kbcore.errors import ConfigurationError
from services.cli.golden_file import read_golden_file

ID = "0198c0de-0000-7000-8000-000000000000"


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_lines_and_lists_are_the_same(tmp_path: Path) -> None:
    entries = [
        {"question": "年假\u2028可以结转吗？", "documents": ["leave.md", ID]},
        {"question": "Who?", "documents": ["b"], "space": "hr", "user": "lina"},
        {"question": "Why?", "documents": []},
    ]
    lines = write(tmp_path, "a.jsonl", "\n\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries) + "\n")
    whole = write(tmp_path, "a.json", json.dumps({"questions": entries}))
    expected = [
        {
            "question": "年假\u2028可以结转吗？",
            "documents": [{"space": "public", "external_id": "leave.md"}, {"document_id": ID}],
        },
        {"question": "Who?", "documents": [{"space": "hr", "external_id": "b"}], "user": "lina"},
        {"question": "Why?", "documents": []},
    ]
    assert read_golden_file(lines, "public") == read_golden_file(whole, "public") == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSONL"),
        ('{"question": "?"}', "entry 1: name the documents"),
        ('{"question": "?", "documents": ["a"]}', "entry 1: 'a' is an external id"),
        ('{"question": "?", "documents": ["a"], "space": "s"}\n[]', "entry 2: needs"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        read_golden_file(write(tmp_path, "a.jsonl", text), None)
