"""Erasing a document's words from SQL: who it was, what it was called, and what answers said from it.

What stays is the ledger's skeleton: that so many versions were received, when and by whom.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kbcore.domain.document import FOREVER, VersionState
from kbcore.domain.job import JobKind, JobState
from kbcore.errors import ItemSkipped
from kbcore.metadata import cached_answers
from kbcore.metadata import jobs as job_rows
from kbcore.metadata.tables import documents, epoch, jobs, versions

# Sources are looked for in the whole of what a turn keeps: cited, named as the closest, or listed by version.
_SOURCE = """
    (strpos(t.citations::text, :document_id) > 0
     OR EXISTS (SELECT FROM turn_sources r WHERE r.turn_id = t.id AND r.document_id = :document_id))
"""
_TELLING = f"{_SOURCE} AND (t.answer <> '' OR strpos(t.citations::text, :document_id) > 0)"
_TURNS = sa.text(f"SELECT t.id FROM turns t WHERE {_TELLING}")
_COMMENTS = sa.text(f"""
    SELECT count(*) FROM feedback f
    WHERE (f.comment IS NOT NULL OR f.reason IS NOT NULL OR f.closing_note IS NOT NULL)
        AND f.trace_id IN (SELECT t.trace_id FROM turns t WHERE {_SOURCE})
""")
_FORGET_COMMENTS = sa.text(f"""
    UPDATE feedback SET comment = NULL, reason = NULL, closing_note = NULL
    WHERE trace_id IN (SELECT t.trace_id FROM turns t WHERE {_SOURCE})
""")
_FORGET_ANSWERS = sa.text(f"""
    UPDATE turns t SET answer = '', citations = '{{"cited": [], "named": []}}', reason = 'erased' WHERE {_TELLING}
""")
_REPLIES = sa.text("SELECT count(*) FROM idempotency WHERE strpos(body::text, :document_id) > 0")
_FORGET_REPLIES = sa.text("""
    UPDATE idempotency SET status = 404, body = NULL WHERE strpos(body::text, :document_id) > 0
""")

# What was asked about the document, in the asker's own words; that it was asked, and what was found, stays.
_ASKED = "strpos(path::text, :document_id) > 0 AND (question <> '' OR path->'asked' <> '{}')"
_QUESTIONS = sa.text(f"SELECT count(*) FROM traces WHERE {_ASKED}")
_FORGET_QUESTIONS = sa.text(f"""
    UPDATE traces SET question = '', path = jsonb_set(path, '{{asked}}', '{{}}') WHERE {_ASKED}
""")

_ANSWERED_BY = "EXISTS (SELECT FROM jsonb_array_elements(questions) q WHERE q->'documents' ? :document_id)"
_GOLDEN_SETS = sa.text(f"SELECT count(*) FROM golden_sets WHERE {_ANSWERED_BY}")
_FORGET_GOLDEN = sa.text(f"""
    UPDATE golden_sets SET questions = (
        SELECT jsonb_agg(jsonb_set(q, '{{documents}}', (q->'documents') - CAST(:document_id AS text)) ORDER BY place)
        FROM jsonb_array_elements(questions) WITH ORDINALITY e(q, place)
    )
    WHERE {_ANSWERED_BY}
""")

ERASED = ItemSkipped("erased", "the document was erased")
"""Why versions and jobs of an erased document ended."""

_SKELETON = {
    documents: frozenset({
        "id", "key", "space_id", "classification", "own_policy_id", "version", "latest_version", "created_by",
        "created_at", "updated_at", "deleted_at", "deleted_by", "erased_at",
    }),
    versions: frozenset({
        "document_id", "number", "state", "valid_from", "valid_to", "reason_code", "reason", "origin", "based_on",
        "replaces", "staged_in", "purged_at", "created_by", "created_at",
    }),
}  # fmt: skip
DESCRIBING = {table: [column for column in table.c if column.name not in kept] for table, kept in _SKELETON.items()}
"""The columns that erasing empties: all that are not listed as the ledger's skeleton, so that a new one is, too."""


@dataclass(frozen=True, slots=True)
class Mentions:
    """Where other records repeat a document: ids of answers, and numbers of the rest.

    That is comments, remembered replies, errors of jobs, golden sets that name it as what answers a question, and
    traces of searches that found it and still have the question, and answers that may be given again.
    """

    turns: frozenset[str]
    comments: int
    replies: int
    errors: int
    golden_sets: int
    traces: int
    remembered: int


def end_document(connection: Connection, document_id: str, by: str) -> None:
    """Let a locked document end for every reader and every job with the transaction's commit.

    Its versions count as skipped (`erased`) from then on; jobs that work on them find them ended and keep nothing.
    """
    reason = ERASED
    connection.execute(
        documents.update()
        .where(documents.c.id == document_id)
        .values(
            erased_at=sa.func.now(),
            deleted_at=sa.func.coalesce(documents.c.deleted_at, sa.func.now()),
            deleted_by=sa.func.coalesce(documents.c.deleted_by, by),
            version=0,
        )
    )
    others = sa.and_(jobs.c.document_id == document_id, jobs.c.kind != JobKind.ERASE)
    queued = connection.execute(
        sa.select(jobs.c.id).where(others, jobs.c.state == JobState.QUEUED).order_by(jobs.c.id).with_for_update()
    ).scalars()
    job_rows.finish(connection, list(queued), JobState.CANCELLED, stage="skipped", reason=reason)
    connection.execute(jobs.update().where(others, jobs.c.state == JobState.RUNNING).values(cancel_requested=True))
    connection.execute(
        versions.update()
        .where(versions.c.document_id == document_id)
        .values(
            state=VersionState.SKIPPED,
            reason_code=reason.code,
            reason=reason.detail,
            reason_page=None,
            valid_to=sa.case(
                (versions.c.valid_to == FOREVER, sa.select(epoch.c.value).scalar_subquery()), else_=versions.c.valid_to
            ),
            purged_at=sa.func.coalesce(versions.c.purged_at, sa.func.now()),
        )
    )


def mentions(connection: Connection, document_id: str) -> Mentions:
    """What is left in conversations, feedback, remembered replies, jobs and golden sets."""
    named = {"document_id": document_id}
    return Mentions(
        turns=frozenset(connection.execute(_TURNS, named).scalars()),
        comments=int(connection.execute(_COMMENTS, named).scalar_one()),
        replies=int(connection.execute(_REPLIES, named).scalar_one()),
        errors=connection.execute(sa.select(sa.func.count()).where(_telling_job(document_id))).scalar_one(),
        golden_sets=int(connection.execute(_GOLDEN_SETS, named).scalar_one()),
        traces=int(connection.execute(_QUESTIONS, named).scalar_one()),
        remembered=cached_answers.count(connection, document_id),
    )


def forget_mentions(connection: Connection, document_id: str) -> None:
    """Empty the answers that cite or name a document, what was said about them, and replies that repeat it.

    Errors of its jobs keep their codes only, golden questions lose it as an answer, and traces their questions.
    """
    named = {"document_id": document_id}
    connection.execute(_FORGET_COMMENTS, named)
    connection.execute(_FORGET_ANSWERS, named)
    connection.execute(_FORGET_REPLIES, named)
    connection.execute(jobs.update().where(_telling_job(document_id)).values(error="", error_page=None))
    connection.execute(_FORGET_GOLDEN, named)
    connection.execute(_FORGET_QUESTIONS, named)
    cached_answers.forget(connection, [document_id])


def forget_names(connection: Connection, document_id: str) -> None:
    """Empty everything that a document and its versions say, but for the ledger's skeleton."""
    connection.execute(
        documents.update()
        .where(documents.c.id == document_id)
        .values({column: empty_value(column) for column in DESCRIBING[documents]})
    )
    connection.execute(
        versions.update()
        .where(versions.c.document_id == document_id)
        .values({column: empty_value(column) for column in DESCRIBING[versions]})
    )


def _telling_job(document_id: str) -> sa.ColumnElement[bool]:
    """Jobs that say what they failed on: that may quote the document. `erased` and the erasure itself quote nothing."""
    told = sa.or_(jobs.c.error != "", jobs.c.error_page.is_not(None))
    return sa.and_(
        jobs.c.document_id == document_id, jobs.c.kind != JobKind.ERASE, jobs.c.error_code != ERASED.code, told
    )


def empty_value(column: sa.Column[Any]) -> object:
    """What an erased row has in a column."""
    if column.nullable:
        return sa.null()
    kinds: tuple[tuple[type, object], ...] = ((ARRAY, []), (JSONB, {}), (sa.Integer, 0), (sa.Text, ""))
    return next(empty for kind, empty in kinds if isinstance(column.type, kind))


def version_numbers(connection: Connection, document_id: str) -> list[tuple[str, int]]:
    """All versions of a document, as (document, number)."""
    query = sa.select(versions.c.number).where(versions.c.document_id == document_id).order_by(versions.c.number)
    return [(document_id, number) for number in connection.execute(query).scalars()]


def blobs_of(connection: Connection, document_id: str) -> frozenset[str]:
    """SHA-256 of the bytes that a document's versions refer to."""
    query = sa.select(versions.c.sha256).where(versions.c.document_id == document_id, versions.c.sha256 != "")
    return frozenset(connection.execute(query).scalars())
