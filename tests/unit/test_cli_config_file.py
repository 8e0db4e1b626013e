"""What writing a setting does to a configuration file: nothing else."""

import tomllib
from pathlib import Path

import pytest

from kbcore.errors import ConfigurationError
from kbcore.settings import load_settings
from services.cli.config_file import write_section

VALUES = {"min_score_zh": 0.8731, "min_quote_en": 0.9}


def test_a_file_that_is_not_there_is_made(tmp_path: Path) -> None:
    file = tmp_path / "zhiku.toml"
    write_section(file, "answer", VALUES)
    assert file.read_text() == "[answer]\nmin_score_zh = 0.8731\nmin_quote_en = 0.9\n"
    answer = load_settings({"ZHIKU_CONFIG": str(file)}).answer
    assert (answer.min_score_zh, answer.min_quote_en) == (0.8731, 0.9)
    assert list(tmp_path.iterdir()) == [file]


def test_comments_order_line_ends_and_mode_stay(tmp_path: Path) -> None:
    file = tmp_path / "zhiku.toml"
    before = (
        "# 我们的设置\r\nhome = '/srv/zhiku'\r\n\r\n[answer] # how to answer\r\npassages   = 6\r\n"
        "min_score_zh = 0.5   # was a guess\r\n\r\n[llm]\r\ndefault = 'qwen'\r\n"
        "[[llm.models]]\r\nname = 'qwen' # ours\r\n"
    )
    file.write_bytes(before.encode())
    file.chmod(0o600)
    write_section(file, "answer", {"min_score_zh": 0.8731})
    assert file.read_bytes().decode() == before.replace("0.5 ", "0.8731 ")
    assert file.stat().st_mode & 0o777 == 0o600
    write_section(file, "answer", VALUES)
    found = tomllib.loads(file.read_bytes().decode())
    assert found == {**tomllib.loads(before), "answer": {"passages": 6, **VALUES}}
    assert "# how to answer" in file.read_text()
    write_section(file, "answer", VALUES)
    assert tomllib.loads(file.read_bytes().decode()) == found


@pytest.mark.parametrize(
    "before",
    [
        "answer = {passages = 6}\nhome = 'x'\n",
        "answer.passages = 6 # dotted\nhome = 'x'\n",
        "home = 'x'\n[answer]\npassages = 6",
        "home = 'x'\n[answer]\npassages = 6\n[log]\nlevel = 'info'\n",
    ],
)
def test_a_table_may_be_written_in_any_way(tmp_path: Path, before: str) -> None:
    file = tmp_path / "zhiku.toml"
    file.write_text(before)
    write_section(file, "answer", VALUES)
    assert tomllib.loads(file.read_text()) == {**tomllib.loads(before), "answer": {"passages": 6, **VALUES}}


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text("home = 'x'\n")
    (tmp_path / "link.toml").symlink_to(tmp_path / "real.toml")
    write_section(tmp_path / "link.toml", "answer", VALUES)
    assert (tmp_path / "link.toml").is_symlink()
    assert "min_score_zh" in (tmp_path / "real.toml").read_text()


@pytest.mark.parametrize("content", [b"[answer", b"answer = 3\n", b"answer = [1]\n", b"\xff\xfe", b"[[answer]]\n"])
def test_a_file_that_does_not_fit_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "zhiku.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"zhiku\.toml"):
        write_section(file, "answer", VALUES)
    assert file.read_bytes() == content
