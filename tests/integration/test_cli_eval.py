"""`zhiku eval` against a served library: a table, what got worse, and the exit code."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kbcore.bootstrap import Platform
from services.evaluation.runner import EvaluationRunner
from tests.integration.evaluating import ANSWERS, Lab, open_lab


@pytest.fixture
def lab(platform: Platform) -> Iterator[Lab]:
    """With a runner at work."""
    with open_lab(platform) as opened:
        runner = EvaluationRunner(platform)
        runner.start()
        yield opened
        runner.stop()


def zhiku(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    key = str(lab.client.headers["authorization"]).removeprefix("Bearer ")
    return subprocess.run(
        [sys.executable, "-m", "services.cli.main", "eval", *arguments],
        env={**os.environ, "ZHIKU_URL": str(lab.client.base_url), "ZHIKU_KEY": key, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_file_is_measured_and_a_worse_index_ends_with_1(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "hr-questions.jsonl"
    lines = [{"question": question, "documents": [document]} for question, document in lab.documents.items()]
    file.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    measured = zhiku(lab, str(file), "--json")
    assert measured.returncode == 0, measured.stderr
    found = json.loads(measured.stdout)
    assert (found["set"], found["report"]["questions"]) == ("hr-questions", len(ANSWERS))

    worse = lab.copy("worse@1", turn=3)
    shut = zhiku(
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
    assert zhiku(lab, "--show", evaluation).stdout == shut.stdout
    for wrong in ([], ["hr-questions", "--show", evaluation]):
        assert "name a golden set" in zhiku(lab, *wrong).stderr

    opened = zhiku(lab, "hr-questions", "--min-ndcg", "0.1")
    assert opened.returncode == 0
    assert "The gate is open." in opened.stdout

    file.write_text(json.dumps({"question": "another", "documents": [next(iter(lab.documents.values()))]}))
    assert "with other questions" in zhiku(lab, str(file)).stderr
    assert "No such golden set." in zhiku(lab, "unknown").stderr
