"""`zhiku calibrate` against a served library: a table, the lines for the configuration, and a file that takes them."""

import json
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from kbcore.bootstrap import Platform
from kbcore.settings import load_settings
from tests.integration.calibrating import answered, unanswered
from tests.integration.evaluating import Lab, open_lab_with_runner, zhiku


@pytest.fixture
def lab(platform: Platform) -> Iterator[Lab]:
    with open_lab_with_runner(platform) as opened:
        yield opened


def calibrate(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    return zhiku(lab, "calibrate", *arguments, columns=80)


def test_thresholds_from_a_file_of_questions_to_a_file_of_settings(lab: Lab, tmp_path: Path) -> None:
    questions = [*answered(lab), *unanswered()]
    lines = [{**each, "documents": [named["document_id"] for named in each["documents"]]} for each in questions]
    asked, config = tmp_path / "asked.jsonl", tmp_path / "zhiku.toml"
    asked.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    config.write_text("# ours\n[answer]\nmax_quotes = 2  # short\n", encoding="utf-8")
    done = calibrate(lab, str(asked), "--write", str(config))
    assert done.returncode == 0, done.stderr
    assert "…" not in done.stdout
    assert f"ZHIKU_CONFIG={config}" in done.stdout

    printed = done.stdout.partition("For the configuration file:\n")[2].partition("Written")[0]
    proposed = tomllib.loads(printed)["answer"]
    assert proposed.keys() == {"min_score_zh", "min_quote_zh"}
    answer = load_settings({"ZHIKU_CONFIG": str(config)}).answer
    assert answer.max_quotes == 2
    assert {name: getattr(answer, name) for name in proposed} == proposed
    assert config.read_text(encoding="utf-8").startswith("# ours\n[answer]\nmax_quotes = 2  # short\n")

    evaluation = lab.client.get("/v1/evaluations").json()["items"][0]["id"]
    shown = json.loads(calibrate(lab, "--show", evaluation, "--keep", "0.5", "--json").stdout)
    assert shown["report"]["calibration"]["keep"] == 0.5
    asked.write_text("\n".join(json.dumps({**line, "documents": []}) for line in lines), encoding="utf-8")
    assert "with other questions" in calibrate(lab, str(asked)).stderr


def test_nothing_is_written_where_nothing_is_proposed(lab: Lab, tmp_path: Path) -> None:
    lab.golden_set()
    few = calibrate(lab, "questions", "--write", str(tmp_path / "zhiku.toml"))
    assert few.returncode == 1
    assert "there are too few questions" in few.stdout
    assert "nothing to write" in few.stderr
    assert not (tmp_path / "zhiku.toml").exists()
    ordered = lab.client.post("/v1/evaluations", json={"set": "questions"}).json()
    with lab.client.stream("GET", f"/v1/jobs/{ordered['job_id']}/events", timeout=60) as events:
        assert "event: done" in list(events.iter_lines())
    assert "did not calibrate" in calibrate(lab, "--show", ordered["id"]).stderr
    for wrong in ([], ["questions", "--show", ordered["id"]]):
        assert "name a golden set" in calibrate(lab, *wrong).stderr
