"""`zhiku ingest --sync`, `history`, `diff` and `rollback` against a served product with a worker."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.metadata import spaces, users
from kbcore.permissions.policy import Grant, Policy, Role
from services.auth.api_keys import issue_key
from tests.integration.ingesting import Works, open_works
from tests.servers.application import serving

Zhiku = Callable[..., Any]


@contextmanager
def working(works: Works) -> Iterator[None]:
    """Somebody who does every job that is queued."""
    stopped = threading.Event()
    queued = sa.text("SELECT id FROM jobs WHERE state = 'queued' ORDER BY id")

    def work() -> None:
        while not stopped.wait(0.05):
            with works.platform.database.begin() as connection:
                waiting = connection.execute(queued).scalars().all()
            for job_id in waiting:
                works.bench.run(job_id)

    worker = threading.Thread(target=work, name="worker")
    worker.start()
    try:
        yield
    finally:
        stopped.set()
        worker.join()


@pytest.fixture
def zhiku(platform: Platform) -> Iterator[Zhiku]:
    """The command line as an editor of the space docs: what `--json` printed; `fails` is what it must complain of."""
    with open_works(platform) as works, serving(platform) as url, working(works):
        with platform.database.begin() as connection:
            user = users.create_user(
                connection, name="lina", display_name="L", email=None, clearance=Classification.INTERNAL, is_admin=False
            )
            policy = Policy(frozenset({Grant(f"user:{user.id}", Role.EDITOR)}))
            spaces.create_space(connection, name="docs", title="docs", policy=policy)
            key = issue_key(connection, user_id=user.id, name="t").token

        environment = {**os.environ, "ZHIKU_URL": url, "ZHIKU_KEY": key}

        def run(*words: str, fails: str | None = None) -> Any:
            command = [sys.executable, "-m", "services.cli.main", *words, "--json"]
            done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
            if fails is not None:
                assert done.returncode == 1
                assert fails in done.stderr
            return json.loads(done.stdout) if done.stdout else None

        yield run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder; the product's own data are beside it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


def actions(found: dict[str, Any]) -> dict[str, str]:
    return {item["external_id"]: item["action"] for item in found["items"]}


def test_a_folder_is_kept_in_step(zhiku: Zhiku, folder: Path, tmp_path: Path) -> None:
    aside = tmp_path / "aside"
    aside.mkdir()
    write(folder, a="# A\n\n年假五天。", b="# B\n\nTravel.", c="# C\n\nCosts.", d="# D\n\nDesks.")
    write(aside, x="# X\n\nUploaded by hand.")
    assert [item["outcome"] for item in zhiku("ingest", str(aside), "--space", "docs")] == ["indexed"]

    def zhiku_sync(*more: str) -> dict[str, Any]:
        return dict(zhiku("ingest", str(folder), "--space", "docs", "--sync", "--source", "share", *more))

    planned = zhiku_sync("--dry-run")
    assert planned["summary"] == dict.fromkeys(planned["summary"], 0) | {"new": 4}
    assert actions(zhiku_sync()) == {f"{name}.md": "new" for name in "abcd"}
    assert actions(zhiku_sync()) == {f"{name}.md": "unchanged" for name in "abcd"}

    write(folder, a="# A\n\n年假十天。", e="# E\n\nEntrances.")
    (folder / "sub").mkdir()
    (folder / "b.md").rename(folder / "sub" / "b.md")
    (folder / "c.md").unlink()
    expected = {"a.md": "changed", "sub/b.md": "moved", "c.md": "deleted", "d.md": "unchanged", "e.md": "new"}
    assert actions(zhiku_sync("--dry-run")) == expected
    done = zhiku_sync()
    assert actions(done) == expected
    assert [item["moved_from"] for item in done["items"] if item["action"] == "moved"] == ["b.md"]
    assert set(actions(zhiku_sync()).values()) == {"unchanged"}

    assert [version["number"] for version in zhiku("history", "sub/b.md", "--space", "docs")] == [1]
    newest, oldest = zhiku("history", "a.md", "--space", "docs")
    assert (newest["current"], oldest["current"], newest["source_uri"]) == (True, False, (folder / "a.md").as_uri())
    found = zhiku("diff", "a.md", "1", "2", "--space", "docs")
    assert [(change["before"]["text"], change["after"]["text"]) for change in found["changes"]] == [
        ("年假五天。", "年假十天。")
    ]
    assert zhiku("rollback", "a.md", "1", "--space", "docs", "--comment", "too generous")["version"] == 3
    assert zhiku("history", "a.md", "--space", "docs")[0]["comment"] == "too generous"
    assert zhiku("rollback", "a.md", "1", "--space", "docs")["unchanged"] is True
    zhiku("history", "c.md", "--space", "docs", fails="no document")
    assert len(zhiku("history", "x.md", "--space", "docs")) == 1


def test_an_empty_folder_deletes_nothing_unless_told_to(zhiku: Zhiku, folder: Path) -> None:
    write(folder, a="# A\n\nOne.", b="# B\n\nTwo.")
    words = ("ingest", str(folder), "--space", "docs", "--sync")
    zhiku(*words)
    for file in folder.iterdir():
        file.unlink()
    zhiku(*words, fails="2 documents")
    assert actions(zhiku(*words, "--allow-empty")) == {"a.md": "deleted", "b.md": "deleted"}


def test_documents_of_another_source_are_left_alone(zhiku: Zhiku, folder: Path) -> None:
    write(folder, a="# A\n\nOne.")
    words = ("ingest", str(folder), "--space", "docs", "--sync")
    assert actions(zhiku(*words, "--source", "one")) == {"a.md": "new"}
    write(folder, a="# A\n\nTwo.")
    assert actions(zhiku(*words, "--source", "two", fails="")) == {"a.md": "failed"}
    (folder / "a.md").rename(folder / "b.md")
    assert actions(zhiku(*words, "--source", "two")) == {"b.md": "new"}
    assert len(zhiku("history", "a.md", "--space", "docs")) == 1


def test_options_of_sync_without_it_are_refused(zhiku: Zhiku, folder: Path) -> None:
    write(folder, a="One.")
    zhiku("ingest", str(folder), "--dry-run", fails="belong to --sync")
    zhiku("ingest", str(folder / "a.md"), "--sync", fails="one folder")
