import os
import subprocess
import sys

import pytest


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
