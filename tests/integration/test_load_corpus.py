"""Real files of many kinds, from load to chunks: each ends as a document or with a reason, never otherwise."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingestion.chunk.chunker import chunk
from ingestion.clean.pipeline import clean
from ingestion.load.encoding import decode
from ingestion.load.sandbox import ParserProcess
from kbcore.errors import ItemError
from kbcore.settings import load_settings

pytestmark = pytest.mark.data

EVERY = 5
"""One file in so many; the folder has a thousand."""
_TOKEN = re.compile(r"[\u3400-\u9fff]|[A-Za-z]{1,5}|\S")


def count(texts: Sequence[str]) -> list[int]:
    return [len(_TOKEN.findall(text)) for text in texts]


def test_every_file_ends_as_chunks_or_with_a_reason(shared_data: Path) -> None:
    files = [path for path in sorted((shared_data / "parsing").rglob("*")) if path.is_file()][::EVERY]
    outcomes: Counter[str] = Counter()
    strange: list[str] = []
    with ParserProcess(load_settings({}).parsing) as parser:
        for path in files:
            try:
                stored, counts = clean(parser.load(path, path.name))
            except ItemError as error:
                outcomes[error.code] += 1
                if error.code in ("parser_error", "parser_crashed", "forbidden_action", "parse_timeout"):
                    strange.append(f"{path.name}: {error.code}: {error.detail}")
                continue
            chunks = chunk(stored, title=path.stem, count_tokens=count, max_tokens=256, min_tokens=48)
            assert all(c.text == stored.text[c.start : c.end] and c.tokens <= 256 for c in chunks), path.name
            assert chunks, path.name
            assert sum(counts.values()) > 0
            outcomes["loaded"] += 1
    assert strange == []
    assert outcomes["loaded"] > 0.5 * len(files)


def test_chinese_text_in_the_encodings_that_files_have(shared_data: Path) -> None:
    folder = shared_data / "parsing" / "encodings_chardet"
    for name, codec in (("GB2312", "gb18030"), ("Big5", "big5hkscs"), ("UTF-16LE", "utf-16"), ("utf-8", "utf-8-sig")):
        files = sorted((folder / name).iterdir())
        assert files
        for path in files:
            data = path.read_bytes()
            assert decode(data) == data.decode(codec), path.name
