"""The READMEs say what is true: files, targets and commands that exist, the same things in both languages."""

import re
from pathlib import Path

import pytest

from services.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.zh-CN.md")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The fenced code of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", READMES)
def test_the_first_command_stands_near_the_top(name: str) -> None:
    assert "make run" in text_of(name).splitlines()[:25]


@pytest.mark.parametrize("name", [*READMES, "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    targets = [t for t in re.findall(r"\]\(([^)]+)\)", text_of(name)) if not t.startswith("https://")]
    assert targets or name == "CHANGELOG.md"
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("name", READMES)
def test_commands_and_targets_exist(name: str) -> None:
    text = text_of(name)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets
    named = re.findall(r"^zhiku (\w+)", "".join(blocks(text, "bash")), re.MULTILINE)
    assert named
    assert set(named) <= set(COMMANDS)


@pytest.mark.parametrize("name", READMES)
def test_python_examples_compile(name: str) -> None:
    examples = blocks(text_of(name), "python")
    assert len(examples) == 2
    for example in examples:
        compile(example, name, "exec")


def test_both_languages_say_the_same() -> None:
    english, chinese = (text_of(name) for name in READMES)
    assert blocks(english, "python") == blocks(chinese, "python")
    assert [line.split("#")[0].strip() for line in "".join(blocks(english, "bash")).splitlines()] == [
        line.split("#")[0].strip() for line in "".join(blocks(chinese, "bash")).splitlines()
    ]
    for pattern in (r"^## ", r"^\d+\. ", r"^```", r"`ZHIKU_\w+"):
        assert len(re.findall(pattern, english, re.MULTILINE)) == len(re.findall(pattern, chinese, re.MULTILINE)), (
            pattern
        )
    assert sorted(re.findall(r"\]\(([^)]+)\)", english.replace("README.zh-CN.md", "README.md"))) == sorted(
        re.findall(r"\]\(([^)]+)\)", chinese)
    )


def test_the_map_names_every_top_folder() -> None:
    folders = {"kbcore", "ingestion", "services", "configs", "deploy", "tests"}
    for name in READMES:
        assert {folder for folder in folders if re.search(rf"^{folder}/", text_of(name), re.MULTILINE)} == folders
        assert all((ROOT / folder).is_dir() for folder in folders)
