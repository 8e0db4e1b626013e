"""The command line at its edges: a terminal that knows no Chinese, a key that is none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kbcore.errors import ConfigurationError
from services.cli.connect import connect

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_a_terminal_that_knows_no_chinese_gets_escapes(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        **ASCII,
        "ZHIKU_HOME": str(tmp_path),
        "ZHIKU_KEY": "zk_x",
        "ZHIKU_URL": "http://[知库]",
    }
    command = [sys.executable, "-m", "services.cli.main", "ask", "x"]
    ran = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert ran.returncode == 1
    assert b"http://[\\udce7" in ran.stderr
    assert b"is no address" in ran.stderr


@pytest.mark.parametrize("key", ["密钥", "zk_a\nb", "zk_\x7f"])
def test_what_can_be_no_key_is_not_repeated(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHIKU_HOME", str(tmp_path))
    monkeypatch.setenv("ZHIKU_KEY", key)
    with pytest.raises(ConfigurationError) as refused:
        connect(None)
    assert key not in refused.value.detail


def test_the_end_of_a_keys_line_is_not_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHIKU_HOME", str(tmp_path))
    monkeypatch.setenv("ZHIKU_KEY", "zk_right\r\n")
    with connect(None) as client:
        assert client._http.headers["authorization"] == "Bearer zk_right"
