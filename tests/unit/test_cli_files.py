"""Which files `zhiku ingest` takes, and how the keys are kept."""

import os
import stat
from pathlib import Path

import pytest

from kbcore.errors import ConfigurationError
from services.cli.credentials import credentials_file, read_credentials, write_credentials
from services.cli.ingest import by_external_id


def touch(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)


def test_folders_are_walked_and_paths_inside_them_are_the_external_ids(tmp_path: Path) -> None:
    touch(tmp_path, "制度/差旅.md", "a.txt", "b/c/d.pdf")
    assert list(by_external_id([tmp_path])) == ["a.txt", "b/c/d.pdf", "制度/差旅.md"]


def test_hidden_files_and_links_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "kept.md", ".hidden", ".git/config")
    (tmp_path / "link.md").symlink_to("/etc/hostname")
    assert list(by_external_id([tmp_path])) == ["kept.md"]


def test_a_file_given_by_name_is_taken_even_if_it_is_hidden(tmp_path: Path) -> None:
    touch(tmp_path, ".notes.md")
    assert by_external_id([tmp_path / ".notes.md"]) == {".notes.md": tmp_path / ".notes.md"}


def test_two_files_that_would_be_one_document_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.md", "b/x.md")
    with pytest.raises(ConfigurationError, match=r"a/x\.md and .*b/x\.md"):
        by_external_id([tmp_path / "a", tmp_path / "b"])


def test_credentials_are_private_and_come_back(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_credentials(tmp_path, {"url": "http://127.0.0.1:8000", "admin": "zk_a"})
        write_credentials(tmp_path, {"url": "http://127.0.0.1:8000", "admin": "zk_b"})
    finally:
        os.umask(before)
    assert stat.S_IMODE(credentials_file(tmp_path).stat().st_mode) == 0o600
    assert read_credentials(tmp_path)["admin"] == "zk_b"
    assert [file.name for file in tmp_path.iterdir()] == ["credentials.json"]


def test_no_credentials_is_empty_and_broken_ones_are_named(tmp_path: Path) -> None:
    assert read_credentials(tmp_path) == {}
    credentials_file(tmp_path).write_text("{")
    with pytest.raises(ConfigurationError, match=r"credentials\.json"):
        read_credentials(tmp_path)
