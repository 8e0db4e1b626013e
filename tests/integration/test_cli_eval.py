"""`zhiku eval` against a served library: a table, what got worse, and the exit code."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kbcore.bootstrap import Platform
from tests.integration.evaluating import ANSWERS, Lab, open_lab_with_runner, zhiku


@pytest.fixture
def lab(platform: Platform) -> Iterator[Lab]:
    with open_lab_with_runner(platform) as opened:
        yield opened


def evaluate(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    return zhiku(lab, "eval", *arguments)


def test_a_file_is_measured_and_a_worse_index_ends_with_1(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "hr-questions.jsonl"
    lines = [{"question": question, "documents": [document]} for question, document in lab.documents.items()]
    file.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    measured = evaluate(lab, str(file), "--json")
    assert measured.returncode == 0, measured.stderr
    found = json.loads(measured.stdout)
    assert (found["set"], found["report"]["questions"]) == ("hr-questions", len(ANSWERS))

    worse = lab.copy("worse@1", turn=3)
    shut = evaluate(
        lab,
        str(file),
        "--generation",
        str(worse.id),
        "--compare-with",
        str(lab.corpus.generation.id),
        "--max-drop",
        "0.1",
    )
    assert shut.returncode == 1
    assert "The gate is shut: drop." in shut.stdout
    assert "Worse than before" in shut.stdout
    assert f"worse@{worse.id}" in shut.stdout
    assert any(question in shut.stdout for question in ANSWERS)

    evaluation = lab.client.get("/v1/evaluations").json()["items"][0]["id"]
    assert evaluate(lab, "--show", evaluation).stdout == shut.stdout
    for wrong in ([], ["hr-questions", "--show", evaluation]):
        assert "name a golden set" in evaluate(lab, *wrong).stderr

    opened = evaluate(lab, "hr-questions", "--min-ndcg", "0.1")
    assert opened.returncode == 0
    assert "The gate is open." in opened.stdout

    file.write_text(json.dumps({"question": "another", "documents": [next(iter(lab.documents.values()))]}))
    assert "with other questions" in evaluate(lab, str(file)).stderr
    assert "No such golden set." in evaluate(lab, "unknown").stderr
