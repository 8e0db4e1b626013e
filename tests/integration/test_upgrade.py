"""A database of the version before, with data in it, after the upgrade: all is there, what is new is filled."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from kbcore.domain.document import FOREVER, Origin, VersionState
from kbcore.domain.ids import new_id
from kbcore.language.weights import document_weights, pack, term_id
from kbcore.metadata import generations, versions
from kbcore.metadata.database import Database
from kbcore.metadata.generations import GenerationState
from kbcore.metadata.migrate import pending_changes, upgrade

BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
OLD = """
    INSERT INTO policies (digest) VALUES (NULL);
    INSERT INTO users (id, name, display_name, clearance) VALUES ('u', 'li', 'Li', 1);
    INSERT INTO spaces (id, name, title, policy_id) VALUES ('s', 'hr', 'HR', 1);
    INSERT INTO documents (id, space_id, title, classification, tags, metadata, effective_from, version,
        latest_version, created_by) VALUES
        ('d', 's', 'Leave', 1, ARRAY['policy'], '{"region": "CN"}', '2026-01-01T00:00:00Z', 1, 2, 'u');
    INSERT INTO versions (document_id, number, sha256, size, file_name, media_type, title, state, text, outline,
        valid_from, valid_to, created_by) VALUES
        ('d', 1, 'a', 1, 'a.md', 'text/markdown', 'Leave', 'indexed', 'Five days.', '[["text", 0, 10, null, null]]',
         1, 4611686018427387904, 'u'),
        ('d', 2, 'b', 1, 'a.md', 'text/markdown', 'Leave', 'staged', 'Six days.', '[]', NULL, NULL, 'u');
    INSERT INTO generations (collection, embedding, dimension, chunking, state, rows) VALUES
        ('zhiku_g1', 'm@1', 8, '{"max_tokens": 256, "min_tokens": 48}', 'live', 1);
    INSERT INTO conversations (id, user_id, title) VALUES ('c', 'u', 't');
    INSERT INTO turns (id, conversation_id, question, answer, citations, abstained, model, epoch, trace_id) VALUES
        ('t', 'c', '?', 'Five.', '{"cited": [{"document_id": "d", "version": 1}], "named": []}', false, 'x', 1, '0'),
        ('n', 'c', '?', 'No.', '{"cited": [], "named": ["d"]}', true, 'x', 1, '1');
"""


@pytest.fixture
def before(postgres_url: str) -> Iterator[Database]:
    """A database of its own at the first revision, filled."""
    name = f"old_{new_id().replace('-', '')}"
    server = sa.create_engine(
        postgres_url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    with server.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    database = Database(sa.make_url(postgres_url).set(database=name).render_as_string(hide_password=False))
    upgrade(database, "0001")
    with database.begin() as connection:
        for statement in filter(str.strip, OLD.split(";\n")):
            connection.exec_driver_sql(statement)
    yield database
    database.dispose()
    with server.connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE "{name}"'))
    server.dispose()


def test_terms_are_counted_anew_under_the_rights_of_their_rows(before: Database) -> None:
    """One open row, one that was closed, one that waits to be published."""
    shared, own = document_weights(["leave", "days"]), document_weights(["leave"])
    with before.begin() as connection:
        for row, weights, begun, ended in (
            ("open", shared, 1, FOREVER),
            ("second", own, 1, FOREVER),
            ("closed", shared, 1, 2),
            ("staged", shared, None, None),
        ):
            connection.execute(
                sa.text(
                    "INSERT INTO chunks (generation_id, id, document_id, text, embedded_hash, language, tokens, terms,"
                    " valid_from, valid_to) VALUES (1, :id, 'd', 't', '', 'en', 1, :terms, :begun, :ended)"
                ),
                {"id": row, "terms": pack(weights), "begun": begun, "ended": ended},
            )
    upgrade(before)
    with before.begin() as connection:
        counted = connection.execute(
            sa.text("SELECT generation_id, term, policy_id, level, rows FROM term_counts")
        ).all()
        rows = connection.execute(sa.text("SELECT generation_id, policy_id, level, rows FROM row_counts")).all()
        stamped = connection.execute(sa.text("SELECT id FROM chunks WHERE policy_id = 1 AND level = 1")).scalars().all()
    assert {tuple(row) for row in counted} == {(1, term_id("leave"), 1, 1, 2), (1, term_id("days"), 1, 1, 1)}
    assert [tuple(row) for row in rows] == [(1, 1, 1, 2)]
    assert sorted(stamped) == ["closed", "open", "second"]


def test_an_upgrade_keeps_everything_and_fills_what_is_new(before: Database) -> None:
    upgrade(before)
    upgrade(before)  # again: nothing to do
    with before.begin() as connection:
        assert pending_changes(connection) == []
        first, second = versions.get(connection, "d", 1), versions.get(connection, "d", 2)
        live = generations.live(connection)
        sources = connection.execute(sa.text("SELECT turn_id, document_id, version FROM turn_sources")).all()
    assert first is not None
    assert (first.state, first.tags, first.metadata) == (VersionState.INDEXED, ("policy",), {"region": "CN"})
    assert (first.effective_from, first.origin) == (BEGINS, Origin.UPLOAD)
    assert live is not None
    assert (live.state, live.live_at) == (GenerationState.LIVE, live.created_at)
    assert second is not None
    assert second.staged_in == live.id
    assert sorted(tuple(row) for row in sources) == [("n", "d", 0), ("t", "d", 1)]
