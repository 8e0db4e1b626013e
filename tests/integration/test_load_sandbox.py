import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.load.sandbox import ParserProcess
from kbcore.errors import ConfigurationError, ItemFailed, ItemSkipped
from kbcore.settings import ParsingSettings


def settings(**changes: float) -> ParsingSettings:
    values = {
        "timeout_s": 60.0,
        "memory_bytes": 1 << 30,
        "max_pages": 100,
        "max_text_chars": 5_000_000,
        "max_expansion": 200,
    }
    return ParsingSettings.model_validate({**values, **changes})


@pytest.fixture(scope="module")
def parser() -> Iterator[ParserProcess]:
    with ParserProcess(settings()) as process:
        yield process


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good"
    path.write_text("第一章 总则\n\n年假五天。\ud800".encode("utf-8", "replace").decode(), encoding="utf-8")
    return path


def process_of(parser: ParserProcess) -> int:
    """The parsing process: the only child of ours that runs our module."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError):
                continue
            if parent == os.getpid() and b"ingestion.load.child" in words and parser.folder == words[3].decode():
                return int(entry.name)
    raise AssertionError("no parsing process")


def test_it_is_reused_and_answers_the_same_every_time(parser: ParserProcess, good: Path) -> None:
    first = parser.load(good, "a.txt")
    before = process_of(parser)
    assert parser.load(good, "a.txt") == first
    assert process_of(parser) == before
    assert first.elements[0].text == "第一章 总则"


def test_reasons_cross_the_pipe_whole(parser: ParserProcess, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(ItemSkipped) as skipped:
        parser.load(empty, "a.txt")
    assert skipped.value.code == "empty_file"
    with pytest.raises(ItemFailed) as failed:
        parser.load(tmp_path / "missing", "a.txt")
    assert failed.value.code == "broken_file"


def test_a_hang_ends_and_the_next_document_works(good: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # opening it for reading blocks for ever
    with ParserProcess(settings(timeout_s=0.5)) as parser:
        with pytest.raises(ItemFailed) as reason:
            parser.load(pipe, "a.txt")
        assert reason.value.code == "parse_timeout"
    with ParserProcess(settings()) as parser:
        parser.load(good, "a.txt")


def test_a_crash_costs_one_document(good: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def crash(victim: int) -> None:
        with pipe.open("wb"):  # returns when the victim has opened the other end
            os.kill(victim, signal.SIGSEGV)

    with ParserProcess(settings()) as parser:
        parser.warm_up()
        thread = threading.Thread(target=crash, args=(process_of(parser),))
        thread.start()
        with pytest.raises(ItemFailed) as reason:
            parser.load(pipe, "a.txt")
        thread.join()
        assert reason.value.code == "parser_crashed"
        assert "SIGSEGV" in reason.value.detail
        assert parser.load(good, "a.txt").elements


def test_a_process_that_died_between_documents_is_replaced(parser: ParserProcess, good: Path) -> None:
    parser.load(good, "a.txt")
    os.kill(process_of(parser), signal.SIGKILL)
    assert parser.load(good, "a.txt").elements


def test_memory_is_bounded_and_the_next_document_works(good: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb"
    bomb.write_text("[" + '{"a":{}},' * 2_000_000 + "0]", encoding="ascii")
    with ParserProcess(settings(memory_bytes=512 * 2**20)) as parser:
        with pytest.raises(ItemFailed) as reason:
            parser.load(bomb, "a.json")
        assert reason.value.code == "parse_memory"
        assert parser.load(good, "a.txt").elements


def test_too_little_memory_names_the_setting() -> None:
    with pytest.raises(ConfigurationError, match=r"parsing\.memory_bytes"):
        ParserProcess(settings(memory_bytes=8 * 2**20))


def test_it_ends_with_its_owner_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    command = [sys.executable, "-m", "ingestion.load.child", str(folder), "0"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    process.communicate()
    assert process.returncode == 0
    assert not folder.exists()


def test_its_folder_is_removed(good: Path) -> None:
    with ParserProcess(settings()) as parser:
        parser.load(good, "a.txt")
        folder = Path(parser.folder or "")
        assert folder.is_dir()
    assert not folder.exists()
    assert parser.folder is None


_OWNER = """
import sys
from pathlib import Path
from ingestion.load.sandbox import ParserProcess
from tests.integration.test_load_sandbox import settings
parser = ParserProcess(settings())
parser.warm_up()
print(parser.folder, flush=True)
parser.load(Path(sys.argv[1]), "a.json")
"""


def test_it_ends_and_tidies_up_when_its_owner_is_killed_over_a_document(tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.write_text("[" + "[1]," * 3_000_000 + "0]", encoding="ascii")
    command = [sys.executable, "-c", _OWNER, str(slow)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=root, text=True) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        assert folder.is_dir()
        (folder / "left").touch()
        owner.kill()
    deadline = time.monotonic() + 30
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not folder.exists()
