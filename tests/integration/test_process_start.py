import os
import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_EXTRAS = """
from kbcore.llm import providers
providers.find_spec = lambda package: None
from services.api.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["services.api", "ingestion.worker", "deploy.migrate"])
def test_a_process_with_an_unknown_setting_ends_with_one_line_that_names_it(module: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", module],
        env={**os.environ, "ZHIKU_WORKER__CONCURENCY": "2"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith("zhiku")
    assert "did you mean ZHIKU_WORKER__CONCURRENCY?" in line


def test_a_model_whose_package_is_missing_stops_the_start_with_the_remedy(tmp_path: Path) -> None:
    config = tmp_path / "zhiku.toml"
    config.write_text(
        """
        [[llm.models]]
        name = "own"
        provider = "transformers"
        model = "/models/own"
        max_classification = "restricted"
        context_tokens = 4096
        timeout_s = 60.0
        """,
        encoding="utf-8",
    )
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS],
        env={
            **os.environ,
            "ZHIKU_CONFIG": str(config),
            "ZHIKU_HOME": str(tmp_path),
            "ZHIKU_DATABASE__URL": "postgresql://127.0.0.1/none",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "transformers" in ended.stderr
    assert "-m pip install torch transformers" in ended.stderr
