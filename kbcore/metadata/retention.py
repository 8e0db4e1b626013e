"""Retention: which versions a space keeps no longer, and what stays of them.

A version is due when it has ended (replaced, withdrawn, or never published and given up) and is older than the space's
`retention_days` or has `retention_versions` newer published ones. Never due: what readers see or will see, and what
stood at the epoch of a snapshot.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.document import FOREVER, VersionState
from kbcore.domain.job import JobKind
from kbcore.metadata import blob_references, cached_answers, jobs
from kbcore.metadata.tables import versions

# Among what has ended and still has bytes, by that index. Then the cheap tests come first: publications commit in the
# order of their epochs, and no more versions can be newer than were received since.
_DUE = f"""
    FROM spaces s
    CROSS JOIN LATERAL (
        SELECT now() - make_interval(0, 0, 0, s.retention_days) AS time, (
            SELECT p.epoch FROM publications p
            WHERE p.committed_at < now() - make_interval(0, 0, 0, s.retention_days)
            ORDER BY p.committed_at DESC LIMIT 1
        ) AS epoch
        OFFSET 0  -- once for each space, not for each version
    ) old
    JOIN documents d ON d.space_id = s.id
    JOIN versions v ON v.document_id = d.id
    WHERE v.sha256 <> '' AND v.valid_to IS DISTINCT FROM {FOREVER} AND d.erased_at IS NULL
        AND v.state IN ('indexed', 'skipped', 'failed')
        AND (
            v.purged_at IS NOT NULL  -- claimed by a purge that was killed
            OR v.valid_to <= old.epoch
            OR v.valid_to IS NULL AND COALESCE(d.deleted_at, v.created_at) < old.time
            OR d.latest_version - v.number >= s.retention_versions AND s.retention_versions <= (
                SELECT count(*) FROM versions w
                WHERE w.document_id = v.document_id AND w.number > v.number AND w.valid_from IS NOT NULL
            )
        )
        AND NOT EXISTS (
            SELECT FROM snapshots n
            WHERE (n.space_id IS NULL OR n.space_id = s.id) AND v.valid_from <= n.epoch AND n.epoch < v.valid_to
        )
"""
_CHOOSE = sa.text(f"""
    SELECT v.document_id, v.number, v.valid_from {_DUE} AND s.id = :space_id
    ORDER BY v.document_id, v.number LIMIT :limit
""")
_COUNT = sa.text(f"SELECT count(*) {_DUE} AND s.id = :space_id")
# Cheap where nothing is to be done: spaces without retention, and those that were looked after within the hour, first.
_SPACES_DUE = sa.text(f"""
    SELECT r.id FROM spaces r
    WHERE (r.retention_days IS NOT NULL OR r.retention_versions IS NOT NULL)
        AND NOT EXISTS (
            SELECT FROM jobs j WHERE j.kind = 'purge' AND j.space_id = r.id AND (
                j.state IN ('queued', 'running') OR j.created_at > now() - make_interval(0, 0, 0, 0, 0, 0, :every_s)
            )
        )
        AND EXISTS (SELECT {_DUE} AND s.id = r.id)
    ORDER BY r.id
""")
_OLD_UPLOADS_UNSWEPT = sa.text("""
    SELECT EXISTS (SELECT FROM versions WHERE created_at < now() - make_interval(0, 0, 0, 0, 0, 0, :every_s))
        AND NOT EXISTS (
            SELECT FROM jobs WHERE kind = 'purge' AND space_id IS NULL
                AND (state IN ('queued', 'running') OR created_at > now() - make_interval(0, 0, 0, 0, 0, 0, :every_s))
        )
""")
_CLAIMED_AT = sa.func.coalesce(versions.c.purged_at, sa.func.now())

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def order(connection: Connection, space_id: str, created_by: str) -> str:
    """Queue the purge of a space; the one that waits already, if there is one."""
    return jobs.waiting(connection, JobKind.PURGE, space_id) or jobs.insert(
        connection, JobKind.PURGE, created_by=created_by, space_id=space_id
    )


def order_due(connection: Connection) -> list[str]:
    """Queue a purge for every space in which something is due, at most hourly; once a day one of stray blobs.

    Returns the jobs' ids, to be sent after the commit.
    """
    due = connection.execute(_SPACES_DUE, {"every_s": HOUR_S}).scalars().all()
    ordered = [jobs.insert(connection, JobKind.PURGE, created_by="system", space_id=space_id) for space_id in due]
    if connection.execute(_OLD_UPLOADS_UNSWEPT, {"every_s": DAY_S}).scalar_one():
        ordered.append(jobs.insert(connection, JobKind.PURGE, created_by="system"))
    return ordered


def count_due(connection: Connection, space_id: str) -> int:
    """How many versions of a space are due."""
    return int(connection.execute(_COUNT, {"space_id": space_id}).scalar_one())


def choose(connection: Connection, space_id: str, limit: int) -> list[tuple[str, int]]:
    """At most `limit` versions that are due, as (document, number).

    Those that were never published count as purged from here: a retry, which waits for this transaction or made this
    one wait, either finds them purged or keeps them.
    """
    rows = connection.execute(_CHOOSE, {"space_id": space_id, "limit": limit}).all()
    claimed = _claim(connection, [(row.document_id, row.number) for row in rows if row.valid_from is None])
    rows = [row for row in rows if row.valid_from is not None or (row.document_id, row.number) in claimed]
    return [(row.document_id, row.number) for row in rows]


def forget_texts(connection: Connection, doomed: Sequence[tuple[str, int]]) -> None:
    """Remove what was read of these versions: from then on their history counts as having gaps.

    Answers that could be given again go, too, if they rest on any version of these documents.
    """
    connection.execute(versions.update().where(_among(doomed)).values(text=None, outline=sa.null(), parsed_text=None))
    cached_answers.forget(connection, sorted({document_id for document_id, _ in doomed}))


def forget_bytes(connection: Connection, doomed: Sequence[tuple[str, int]]) -> set[str]:
    """Let these versions refer to no bytes any more and count as purged; returns the blobs that nobody refers to now.

    Remove those before this transaction ends: until then nobody can begin to refer to them.
    """
    chosen = _among(doomed)
    held = set(connection.execute(sa.select(versions.c.sha256).where(chosen, versions.c.sha256 != "")).scalars())
    blob_references.hold_for_removal(connection, held)
    connection.execute(versions.update().where(chosen).values(sha256="", purged_at=_CLAIMED_AT))
    return held - blob_references.referred_to(connection, held)


def _claim(connection: Connection, unpublished: Sequence[tuple[str, int]]) -> set[tuple[str, int]]:
    """Let these count as purged, but for those that a retry has put back in line; returns the claimed ones."""
    rows = connection.execute(
        versions.update()
        .where(_among(unpublished), versions.c.state.in_((VersionState.SKIPPED, VersionState.FAILED)))
        .values(purged_at=_CLAIMED_AT)
        .returning(versions.c.document_id, versions.c.number)
    )
    return {(row.document_id, row.number) for row in rows}


def _among(doomed: Sequence[tuple[str, int]]) -> sa.ColumnElement[bool]:
    return sa.tuple_(versions.c.document_id, versions.c.number).in_(list(doomed))
