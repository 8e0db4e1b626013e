"""Real documents with dated revisions, replayed in order through the real stages, then asked about at each date."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from kbcore.bootstrap import Platform
from kbcore.domain.document import FOREVER, Classification
from kbcore.domain.principal import Caller
from kbcore.metadata import documents, publications, users, versions
from kbcore.metadata.access import resolve_caller
from kbcore.metadata.standpoint import AsOf
from services.query.found import Ranked
from services.query.pipeline import search
from services.query.request import SearchRequest
from tests.integration.ingesting import Works, open_works
from tests.security.test_lying_index import LettersEmbedder

DOCUMENTS = 5
"""Of each set: enough for some sixty revisions."""


@pytest.fixture
def works(platform: Platform) -> Iterator[Works]:
    platform.__dict__["embedder"] = LettersEmbedder()  # quick; which version is found does not depend on the model
    with open_works(platform) as opened:
        with platform.database.begin() as connection:
            connection.execute(
                sa.text("""
                    INSERT INTO policy_entries SELECT policy_id, 'everyone', 'reader' FROM spaces WHERE id = :space
                """),
                {"space": opened.space_id},
            )
        yield opened


@pytest.fixture
def reader(works: Works) -> Caller:
    with works.platform.database.begin() as connection:
        user = users.create_user(
            connection, name="r", display_name="r", email=None, clearance=Classification.INTERNAL, is_admin=False
        )
        caller = resolve_caller(connection, user.id)
    assert caller is not None
    return caller


def hits(works: Works, reader: Caller, question: str, as_of: AsOf) -> list[Ranked]:
    """A search of everything, as of then; each passage is exactly what its version's text says."""
    ranked = search(works.platform, reader, SearchRequest(question, 100, as_of=as_of)).ranked
    with works.platform.database.begin() as connection:
        for item in ranked:
            passage = item.passage
            stored = versions.stored_text(connection, passage.document_id, passage.version)
            assert stored is not None
            assert stored.text[passage.start : passage.end] == passage.text
    return list(ranked)


@pytest.mark.parametrize("corpus", ["18f_handbook", "tidb_operator_zh"])
def test_each_date_reads_as_it_was(works: Works, reader: Caller, shared_data: Path, corpus: str) -> None:
    folder = shared_data / "versioned"
    manifest = [json.loads(line) for line in (folder / corpus / "manifest.jsonl").read_text().splitlines()]
    chosen = sorted({entry["doc"] for entry in manifest})[:DOCUMENTS]
    revisions = sorted((e for e in manifest if e["doc"] in chosen), key=lambda e: (e["date"], e["doc"], e["version"]))
    ids: dict[str, str] = {}
    expected: dict[str, dict[str, int]] = {}  # date → document → version
    for revision in revisions:
        text = (folder / revision["file"]).read_text(encoding="utf-8")
        document, number, job = works.upload(text, ids.get(revision["doc"]))
        works.bench.run(job)
        ids[revision["doc"]] = document
        seen = works.version(document, number)
        assert seen.valid_from is not None
        with works.platform.database.begin() as connection:
            connection.execute(
                sa.text("UPDATE publications SET committed_at = :then WHERE epoch = :epoch"),
                {"then": _day(revision["date"]), "epoch": seen.valid_from},
            )
        before = expected[max(expected)] if expected else {}
        expected[revision["date"]] = {**before, document: number}

    assert len(expected) > 5
    for date, at_date in expected.items():
        found = hits(
            works, reader, "policy travel leave cluster TiDB 部署", AsOf(time=_day(date) + timedelta(hours=12))
        )
        shown = {item.passage.document_id: set[int]() for item in found}
        for item in found:
            shown[item.passage.document_id].add(item.passage.version)
        assert shown
        for document, numbers in shown.items():
            assert numbers == {at_date[document]}, date  # never two versions, never one of another date
    with works.platform.database.begin() as connection:
        assert publications.current_epoch(connection) == len(revisions)


def test_statutes_in_two_versions_are_asked_by_what_was_in_force(
    works: Works, reader: Caller, shared_data: Path
) -> None:
    by_name: dict[str, list[tuple[datetime, Path]]] = {}
    for file in sorted((shared_data / "corpora" / "laws_zh_by_department").rglob("*.md")):
        if found := re.fullmatch(r"(.+)\((\d{4}-\d{2}-\d{2})\)", file.stem):
            by_name.setdefault(found[1], []).append((_day(found[2]), file))
    twice = {name: sorted(each) for name, each in by_name.items() if len(each) == 2}
    assert len(twice) >= 4
    for name, each in list(twice.items())[:4]:
        document: str | None = None
        for begins, file in each:  # both of them today, the older one first
            text = file.read_text(encoding="utf-8")
            if document is not None:
                with works.platform.database.begin() as connection:
                    documents.update(connection, document, effective_from=begins)
            document, _, job = works.upload(text, document)
            if begins == each[0][0]:
                with works.platform.database.begin() as connection:
                    documents.update(connection, document, effective_from=begins)
                    connection.execute(
                        sa.text("UPDATE versions SET effective_from = :begins WHERE document_id = :id"),
                        {"begins": begins, "id": document},
                    )
            works.bench.run(job)
        (first, _), (second, _) = each
        for moment, number in ((first, 1), (second - timedelta(days=1), 1), (second, 2), (datetime.now(UTC), 2)):
            for as_of in (AsOf(effective_at=moment), AsOf(time=moment)):
                found = hits(works, reader, name, as_of)
                numbers = {item.passage.version for item in found if item.passage.document_id == document}
                assert numbers == {number}, (name, as_of)
        with works.platform.database.begin() as connection:
            open_versions = [v for v in versions.list_of(connection, document or "") if v.valid_to == FOREVER]
        assert [v.number for v in open_versions] == [2]  # the newer one was in force already: it replaced the older


def _day(date: str) -> datetime:
    return datetime.fromisoformat(date).replace(tzinfo=UTC)
