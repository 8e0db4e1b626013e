"""What we rely on inside `unstructured`: fails when an upgrade moves it. In processes of their own, for it is imported
once and for all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import docx
import pytest

PROBE = """
import json, sys
from pathlib import Path
attempts = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "os.posix_spawn"):
        attempts.append(event)
sys.addaudithook(watch)
from ingestion.load.limits import Limits
from ingestion.load.read import read
texts = {name: [e.text for e in read(Path(path), name, Limits()).elements] for name, path in json.loads(sys.argv[1])}
import unstructured.utils as utils
print(json.dumps({
    "attempts": attempts, "texts": texts, "spacy": hasattr(sys.modules.get("spacy"), "__file__"),
    "opted_out": utils._telemetry_opt_out(), "threads": __import__("threading").active_count(),
}))
"""


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("offline")
    document = docx.Document()
    document.add_heading("休假", 1)
    document.add_paragraph("年假五天。Annual leave is granted to every employee of the company.")
    document.save(str(folder / "a.docx"))
    (folder / "a.html").write_text("<h1>休假</h1><p>年假五天。</p><p>是</p>", encoding="utf-8")
    (folder / "a.md").write_text("# 休假\n\n年假五天。\n", encoding="utf-8")
    files = [(path.name, str(path)) for path in sorted(folder.iterdir())]
    quiet = ("DO_NOT_TRACK", "SCARF_NO_ANALYTICS", "UNSTRUCTURED_DISABLE_NOTICE")
    environment = {name: value for name, value in os.environ.items() if name not in quiet}
    result = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(files)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).resolve().parents[2],
        check=False,
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_nothing_is_sent_and_nothing_is_started(probe: dict[str, object]) -> None:
    assert probe["attempts"] == []
    assert probe["opted_out"] is True
    assert probe["threads"] == 1


def test_spacy_is_not_imported(probe: dict[str, object]) -> None:
    assert probe["spacy"] is False


def test_the_texts_are_read(probe: dict[str, object]) -> None:
    assert probe["texts"] == {
        "a.docx": ["休假", "年假五天。Annual leave is granted to every employee of the company."],
        "a.html": ["休假", "年假五天。", "是"],
        "a.md": ["休假", "年假五天。"],
    }
