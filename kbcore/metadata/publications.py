"""The epoch protocol's SQL half: the note before Milvus is written, and the one transaction that makes a plan true.

A publication takes readers from epoch E to E+1. Under the publish lock: `publication_plan.plan` reads what changes;
`begin` notes in SQL that E+1 is being written to Milvus; Milvus gets the new rows and the closings; `commit` writes the
same to SQL together with the new epoch. Until then every reader works at E and sees none of it.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.document import FOREVER, VersionState
from kbcore.domain.job import JobState
from kbcore.metadata import jobs as job_rows
from kbcore.metadata import term_statistics
from kbcore.metadata.in_force import ENDS, in_force
from kbcore.metadata.publication_plan import PublicationPlan
from kbcore.metadata.tables import chunks, epoch, publications
from kbcore.metadata.term_statistics import CountedRow, Unpack


class PlanOvertaken(Exception):
    """A planned version was given up or got other dates before the commit: undo what Milvus got and plan again."""


# The order of locks is everywhere documents, jobs, versions.
_LOCK_DOCUMENTS = sa.text("SELECT id FROM documents WHERE id = ANY(:documents) ORDER BY id FOR UPDATE")
_LOCK_JOBS = sa.text("SELECT id FROM jobs WHERE id = ANY(:jobs) ORDER BY id FOR UPDATE")
_LOCK_STAGED = sa.text("""
    SELECT v.document_id, v.effective_from, v.effective_to FROM versions v
    JOIN unnest(CAST(:documents AS text[]), CAST(:numbers AS int[])) AS w(document_id, number)
      ON v.document_id = w.document_id AND v.number = w.number
    WHERE v.state = 'staged' AND v.staged_in = :generation ORDER BY v.document_id FOR UPDATE OF v
""")
_SUPERSEDED = sa.text(f"""
    UPDATE versions v SET state = 'skipped', reason_code = 'superseded',
        reason = 'a newer version was published before this one was ready'
    WHERE v.state = 'staged' AND EXISTS (
        SELECT FROM versions n, versions o
        WHERE o.document_id = v.document_id AND o.number = v.number AND n.document_id = v.document_id
            AND n.number > v.number AND n.valid_from IS NOT NULL AND {ENDS})
    RETURNING v.document_id, v.number
""")
_UNSTAGED = sa.text("""
    UPDATE versions SET state = 'pending', staged_in = NULL
    WHERE state = 'staged' AND staged_in IS DISTINCT FROM :generation RETURNING document_id, number
""")
_OPEN = sa.text("""
    UPDATE chunks c SET valid_from = :epoch, valid_to = :forever, policy_id = w.policy_id, level = w.level
    FROM unnest(CAST(:ids AS text[]), CAST(:policies AS bigint[]), CAST(:levels AS smallint[]))
        AS w(id, policy_id, level)
    WHERE c.generation_id = :generation AND c.id = w.id
""")
_CLOSE = sa.text("""
    UPDATE chunks SET valid_to = :epoch WHERE generation_id = :generation AND id = ANY(:ids)
    RETURNING policy_id, level, terms
""")
# Two questions, not one with OR: each has an index of its own.
_PAST_A_DATE = f"""
    SELECT document_id FROM versions
    WHERE valid_to = {FOREVER} AND effective_from <= now() AND effective_from > :since
    UNION ALL
    SELECT document_id FROM versions
    WHERE valid_to = {FOREVER} AND effective_to <= now() AND effective_to > :since
"""
_DUE = sa.text(f"SELECT EXISTS ({_PAST_A_DATE})")
_ENTER_FORCE = sa.text(f"""
    UPDATE documents d SET version = COALESCE(f.number, 0), title = COALESCE(f.title, d.title), updated_at = now()
    FROM documents o LEFT JOIN LATERAL (
        {in_force(published=f"v.valid_to = {FOREVER}", at="now()", document="o.id")}
    ) f ON true
    WHERE d.id = o.id AND o.deleted_at IS NULL AND d.version IS DISTINCT FROM COALESCE(f.number, 0)
      AND o.id IN ({_PAST_A_DATE})
""")


def current_epoch(connection: Connection) -> int:
    """The number of committed publications: what readers see."""
    return int(connection.execute(sa.select(epoch.c.value)).scalar_one())


def unfinished(connection: Connection) -> bool:
    """True if a publication began writing to Milvus and neither committed nor was undone: a crash."""
    return connection.execute(sa.select(epoch.c.publishing)).scalar_one() is not None


def moment(connection: Connection) -> datetime:
    """The transaction's time, as SQL has it."""
    now: datetime = connection.execute(sa.select(sa.func.now())).scalar_one()
    return now


def begin(connection: Connection, coming: int) -> None:
    """Note that this epoch is about to be written to Milvus. Commit before the first write there."""
    connection.execute(epoch.update().values(publishing=coming))


def undone(connection: Connection) -> None:
    """Note that Milvus holds nothing beyond the committed epoch."""
    connection.execute(epoch.update().values(publishing=None))


def commit(connection: Connection, done: PublicationPlan, unpack: Unpack) -> None:
    """Make the plan true: rows, places, versions, counts, jobs and the epoch, in the caller's one transaction.

    `unpack` reads packed keyword weights (`kbcore.language.weights.unpack`). Raises `PlanOvertaken`.
    """
    _require_unchanged(connection, done)
    closed = _open_and_close_rows(connection, done.generation_id, done)
    _switch_versions(connection, done)
    opened = [CountedRow(row.stamp.policy_id, row.stamp.level, row.terms) for row in done.added]
    term_statistics.count(connection, done.generation_id, opened=opened, closed=closed, unpack=unpack)
    changed = {**dict.fromkeys(done.ended), **done.versions}
    connection.execute(
        publications.insert().values(
            epoch=done.epoch,
            # The time is taken as late as can be: whoever read before it saw the epoch before.
            committed_at=sa.func.clock_timestamp(),
            documents=[[document, number] for document, number in changed.items()]
            + [[document, None] for document in sorted(done.withdrawn - changed.keys())],
            rows_added=len(done.added),
            rows_closed=len(done.closed),
        )
    )
    connection.execute(epoch.update().values(value=done.epoch, publishing=None))
    job_rows.finish(connection, done.jobs, JobState.SUCCEEDED, stage="published")


def committed_now(connection: Connection, number: int) -> None:
    """Say that an epoch begins now: the commit may have waited for others since `commit` said so."""
    connection.execute(
        publications.update().where(publications.c.epoch == number).values(committed_at=sa.func.clock_timestamp())
    )


def enter_force(connection: Connection, since: datetime) -> None:
    """Let documents say which of their published versions readers see, where a date has come after `since`."""
    connection.execute(_ENTER_FORCE, {"since": since})


def due(connection: Connection, since: datetime) -> bool:
    """True if a published version's effective date has come after `since`."""
    return bool(connection.execute(_DUE, {"since": since}).scalar_one())


def unstage_others(connection: Connection, generation_id: int) -> list[tuple[str, int]]:
    """Send versions back that were staged for another generation, which is no longer live; returns which."""
    return [(row.document_id, row.number) for row in connection.execute(_UNSTAGED, {"generation": generation_id})]


def changed_after(connection: Connection, after: int) -> tuple[int, list[str]]:
    """The current epoch, and the documents that publications after the epoch `after` changed.

    Perhaps a few more: a publication that commits between the two statements is named, and not counted as taken over.
    """
    present = current_epoch(connection)
    rows = connection.execute(
        sa.text("""
            SELECT DISTINCT entry->>0 FROM publications, jsonb_array_elements(documents) entry WHERE epoch > :after
        """),
        {"after": after},
    )
    return present, sorted(rows.scalars())


def _require_unchanged(connection: Connection, done: PublicationPlan) -> None:
    """Lock what gets changed. Versions are given up without the publish lock, so it is here that they are asked."""
    connection.execute(_LOCK_DOCUMENTS, {"documents": done.documents})
    connection.execute(_LOCK_JOBS, {"jobs": list(done.jobs)})
    pairs = {"documents": list(done.versions), "numbers": list(done.versions.values())}
    staged = connection.execute(_LOCK_STAGED, {**pairs, "generation": done.generation_id})
    if {row.document_id: (row.effective_from, row.effective_to) for row in staged} != done.dates:
        raise PlanOvertaken


def skip_superseded(connection: Connection) -> list[tuple[str, int]]:
    """End staged versions that a newer published one would end at once; returns (document, number) of each."""
    return [(row.document_id, row.number) for row in connection.execute(_SUPERSEDED)]


def _open_and_close_rows(connection: Connection, generation_id: int, done: PublicationPlan) -> list[CountedRow]:
    """Returns the rows that were closed, as they were counted."""
    if done.reused:
        connection.execute(
            sa.text("""
                UPDATE version_chunks p SET chunk_id = r.kept
                FROM unnest(CAST(:staged AS text[]), CAST(:kept AS text[])) AS r(staged, kept)
                WHERE p.generation_id = :generation AND p.chunk_id = r.staged
            """),
            {"staged": list(done.reused), "kept": list(done.reused.values()), "generation": generation_id},
        )
        connection.execute(
            chunks.delete().where(chunks.c.generation_id == generation_id, chunks.c.id == sa.any_(sa.bindparam("ids"))),
            {"ids": list(done.reused)},
        )
    if done.added:
        stamps = {
            "ids": [row.chunk_id for row in done.added],
            "policies": [row.stamp.policy_id for row in done.added],
            "levels": [row.stamp.level for row in done.added],
        }
        connection.execute(_OPEN, {**stamps, "generation": generation_id, "epoch": done.epoch, "forever": FOREVER})
    if not done.closed:
        return []
    asked = {"ids": sorted(done.closed), "generation": generation_id, "epoch": done.epoch}
    return [CountedRow(row.policy_id, row.level, row.terms) for row in connection.execute(_CLOSE, asked)]


def _switch_versions(connection: Connection, done: PublicationPlan) -> None:
    """What ends, ends where the new begins; then each document says which version readers see now."""
    ended = [(document, number) for document, numbers in done.ended.items() for number in numbers]
    connection.execute(
        sa.text("""
            UPDATE versions v SET valid_to = :epoch
            FROM unnest(CAST(:documents AS text[]), CAST(:numbers AS int[])) AS w(document_id, number)
            WHERE v.document_id = w.document_id AND v.number = w.number
        """),
        {"documents": [each for each, _ in ended], "numbers": [each for _, each in ended], "epoch": done.epoch},
    )
    connection.execute(
        sa.text("""
            UPDATE versions v SET state = :state, staged_in = NULL, valid_from = :epoch, valid_to = :forever
            FROM unnest(CAST(:documents AS text[]), CAST(:numbers AS int[])) AS w(document_id, number)
            WHERE v.document_id = w.document_id AND v.number = w.number
        """),
        {
            "documents": list(done.versions),
            "numbers": list(done.versions.values()),
            "state": VersionState.INDEXED,
            "epoch": done.epoch,
            "forever": FOREVER,
        },
    )
    connection.execute(
        sa.text(f"""
            UPDATE documents d SET version = COALESCE(f.number, 0), updated_at = now(),
                title = CASE WHEN f.number IS DISTINCT FROM d.version THEN COALESCE(f.title, d.title) ELSE d.title END
            FROM documents o LEFT JOIN LATERAL (
                {in_force(published=f"v.valid_to = {FOREVER}", at="now()", document="o.id")}
            ) f ON true
            WHERE d.id = o.id AND o.id = ANY(:documents) AND o.deleted_at IS NULL
        """),
        {"documents": done.documents},
    )
