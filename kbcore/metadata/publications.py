"""The epoch protocol's SQL half: what a publication would change, and the one transaction that makes it true.

A publication takes readers from epoch E to E+1. Under the publish lock: `plan` reads what changes; `begin` notes in SQL
that E+1 is being written to Milvus; Milvus gets the new rows and the closings; `commit` writes the same to SQL together
with the new epoch. Until then every reader works at E and sees none of it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.chunk import VectorStamp
from kbcore.domain.document import FOREVER, VersionState
from kbcore.domain.job import JobState
from kbcore.metadata import jobs as job_rows
from kbcore.metadata.index_rows import IndexRow
from kbcore.metadata.tables import chunks, epoch, generations, publications, versions


class PlanOvertaken(Exception):
    """A planned version was given up (cancelled, failed) before the commit: undo what Milvus got and plan again."""


@dataclass(frozen=True, slots=True)
class PublicationPlan:
    """What epoch `epoch` changes.

    `reused` maps a staged chunk to the open row with the same embedded text, whose vector and row stay.
    `versions` are published, `withdrawn` are documents that end; `closed` maps rows to close to their packed terms.
    """

    epoch: int
    versions: Mapping[str, int]
    withdrawn: frozenset[str]
    added: Sequence[IndexRow]
    reused: Mapping[str, str]
    closed: Mapping[str, bytes]
    jobs: Sequence[str] = field(default=())

    @property
    def empty(self) -> bool:
        """True if there is nothing to publish."""
        return not self.versions and not self.withdrawn


_READY = sa.text("""
    SELECT DISTINCT ON (v.document_id) v.document_id, v.number
    FROM versions v JOIN documents d ON d.id = v.document_id
    WHERE v.state = 'staged' AND d.deleted_at IS NULL AND v.number > d.version
    ORDER BY v.document_id, v.number LIMIT :limit
""")
_WITHDRAWN = sa.text("""
    SELECT j.document_id FROM jobs j JOIN documents d ON d.id = j.document_id
    WHERE j.kind = 'withdraw' AND j.state IN ('queued', 'running') AND d.deleted_at IS NOT NULL LIMIT :limit
""")
_STAGED_ROWS = sa.text("""
    SELECT c.id AS chunk_id, c.document_id, d.key AS document_key, s.key AS space_key,
           COALESCE(d.own_policy_id, s.policy_id) AS policy_id, d.classification AS level,
           c.embedded_hash, e.vector, c.terms
    FROM version_chunks p
    JOIN unnest(CAST(:documents AS text[]), CAST(:numbers AS int[])) AS w(document_id, number)
      ON p.document_id = w.document_id AND p.version = w.number
    JOIN chunks c ON c.generation_id = p.generation_id AND c.id = p.chunk_id
    JOIN documents d ON d.id = c.document_id JOIN spaces s ON s.id = d.space_id
    JOIN embeddings e ON e.model = :model AND e.text_hash = c.embedded_hash
    WHERE p.generation_id = :generation AND c.valid_from IS NULL
    ORDER BY p.document_id, p.ordinal
""")
_OPEN_ROWS = sa.text("""
    SELECT c.id, c.document_id, c.embedded_hash, c.terms FROM chunks c
    WHERE c.generation_id = :generation AND c.document_id = ANY(:documents) AND c.valid_to = :forever
    ORDER BY c.id
""")
_JOBS = sa.text("""
    SELECT id FROM jobs WHERE state IN ('queued', 'running') AND (
        (kind = 'withdraw' AND document_id = ANY(:withdrawn))
        OR (kind = 'ingest' AND (document_id, version) IN (
            SELECT * FROM unnest(CAST(:documents AS text[]), CAST(:numbers AS int[])))))
""")
# The order of locks is everywhere documents, jobs, versions.
_LOCK_DOCUMENTS = sa.text("SELECT id FROM documents WHERE id = ANY(:documents) ORDER BY id FOR UPDATE")
_LOCK_JOBS = sa.text("SELECT id FROM jobs WHERE id = ANY(:jobs) ORDER BY id FOR UPDATE")
_LOCK_STAGED = sa.text("""
    SELECT v.document_id FROM versions v
    JOIN unnest(CAST(:documents AS text[]), CAST(:numbers AS int[])) AS w(document_id, number)
      ON v.document_id = w.document_id AND v.number = w.number
    WHERE v.state = 'staged' ORDER BY v.document_id FOR UPDATE OF v
""")
_SUPERSEDED = sa.text("""
    UPDATE versions v SET state = 'skipped', reason_code = 'superseded',
        reason = 'a newer version was published before this one was ready'
    FROM documents d WHERE d.id = v.document_id AND v.state = 'staged' AND v.number < d.version
    RETURNING v.document_id, v.number
""")


def current_epoch(connection: Connection) -> int:
    """The number of committed publications: what readers see."""
    return int(connection.execute(sa.select(epoch.c.value)).scalar_one())


def unfinished(connection: Connection) -> bool:
    """True if a publication began writing to Milvus and neither committed nor was undone: a crash."""
    return connection.execute(sa.select(epoch.c.publishing)).scalar_one() is not None


def begin(connection: Connection, plan: PublicationPlan) -> None:
    """Note that this epoch is about to be written to Milvus. Commit before the first write there."""
    connection.execute(epoch.update().values(publishing=plan.epoch))


def undone(connection: Connection) -> None:
    """Note that Milvus holds nothing beyond the committed epoch."""
    connection.execute(epoch.update().values(publishing=None))


def plan(connection: Connection, generation_id: int, model: str, *, limit: int) -> PublicationPlan:
    """What the next publication changes: at most `limit` staged versions, one for each document, and withdrawals."""
    ready = {row.document_id: row.number for row in connection.execute(_READY, {"limit": limit})}
    withdrawn = frozenset(connection.execute(_WITHDRAWN, {"limit": limit}).scalars())
    pairs = {"documents": list(ready), "numbers": list(ready.values())}
    touched = {"generation": generation_id, "documents": [*ready, *withdrawn], "forever": FOREVER}

    open_rows = connection.execute(_OPEN_ROWS, touched).all()
    reusable: dict[tuple[str, bytes], list[str]] = {}
    for row in open_rows:
        if row.document_id in ready:
            reusable.setdefault((row.document_id, row.embedded_hash), []).append(row.id)

    next_epoch = current_epoch(connection) + 1
    added: list[IndexRow] = []
    reused: dict[str, str] = {}
    for row in connection.execute(_STAGED_ROWS, {**pairs, "generation": generation_id, "model": model}):
        same = reusable.get((row.document_id, row.embedded_hash))
        if same:
            reused[row.chunk_id] = same.pop(0)
        else:
            stamp = VectorStamp(
                row.document_key, row.space_key, row.policy_id, row.level, valid_from=next_epoch, valid_to=FOREVER
            )
            added.append(IndexRow(row.chunk_id, stamp, row.vector, row.terms))

    kept = set(reused.values())
    return PublicationPlan(
        epoch=next_epoch,
        versions=ready,
        withdrawn=withdrawn,
        added=added,
        reused=reused,
        closed={row.id: row.terms for row in open_rows if row.id not in kept},
        jobs=connection.execute(_JOBS, {**pairs, "withdrawn": list(withdrawn)}).scalars().all(),
    )


def commit(
    connection: Connection, generation_id: int, done: PublicationPlan, unpack: Callable[[bytes], Mapping[int, float]]
) -> None:
    """Make the plan true: rows, places, versions, counts, jobs and the epoch, in the caller's one transaction.

    `unpack` reads packed keyword weights (`kbcore.language.weights.unpack`). Raises `PlanOvertaken`.
    """
    _require_unchanged(connection, done)
    _open_and_close_rows(connection, generation_id, done)
    _switch_versions(connection, done)
    _count_terms(connection, generation_id, done, unpack)
    connection.execute(
        publications.insert().values(
            epoch=done.epoch,
            documents=[[document, number] for document, number in done.versions.items()]
            + [[document, None] for document in sorted(done.withdrawn)],
            rows_added=len(done.added),
            rows_closed=len(done.closed),
        )
    )
    connection.execute(epoch.update().values(value=done.epoch, publishing=None))
    job_rows.finish(connection, done.jobs, JobState.SUCCEEDED, stage="published")


def _require_unchanged(connection: Connection, done: PublicationPlan) -> None:
    """Lock what gets changed. Versions are given up without the publish lock, so it is here that they are asked."""
    connection.execute(_LOCK_DOCUMENTS, {"documents": [*done.versions, *done.withdrawn]})
    connection.execute(_LOCK_JOBS, {"jobs": list(done.jobs)})
    pairs = {"documents": list(done.versions), "numbers": list(done.versions.values())}
    if len(connection.execute(_LOCK_STAGED, pairs).all()) != len(done.versions):
        raise PlanOvertaken


def skip_superseded(connection: Connection) -> list[tuple[str, int]]:
    """End staged versions that are older than the published one; returns (document, number) of each."""
    return [(row.document_id, row.number) for row in connection.execute(_SUPERSEDED)]


def _open_and_close_rows(connection: Connection, generation_id: int, done: PublicationPlan) -> None:
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
            chunks.delete().where(chunks.c.generation_id == generation_id, chunks.c.id.in_(list(done.reused)))
        )
    _set_rows(connection, generation_id, [row.chunk_id for row in done.added], valid_from=done.epoch, valid_to=FOREVER)
    _set_rows(connection, generation_id, list(done.closed), valid_to=done.epoch)


def _set_rows(connection: Connection, generation_id: int, ids: Sequence[str], **values: int) -> None:
    if ids:
        connection.execute(
            chunks.update()
            .where(chunks.c.generation_id == generation_id, chunks.c.id == sa.any_(sa.bindparam("ids")))
            .values(**values),
            {"ids": list(ids)},
        )


def _switch_versions(connection: Connection, done: PublicationPlan) -> None:
    """The old version ends where the new one begins; a withdrawn document's version just ends."""
    connection.execute(
        versions.update()
        .where(versions.c.document_id.in_([*done.versions, *done.withdrawn]), versions.c.valid_to == FOREVER)
        .values(valid_to=done.epoch)
    )
    if not done.versions:
        return
    pairs = {"documents": list(done.versions), "numbers": list(done.versions.values())}
    connection.execute(
        sa.text("""
            UPDATE versions v SET state = :state, valid_from = :epoch, valid_to = :forever
            FROM unnest(CAST(:documents AS text[]), CAST(:numbers AS int[])) AS w(document_id, number)
            WHERE v.document_id = w.document_id AND v.number = w.number
        """),
        {**pairs, "state": VersionState.INDEXED, "epoch": done.epoch, "forever": FOREVER},
    )
    connection.execute(
        sa.text("""
            UPDATE documents d SET version = v.number, title = v.title, updated_at = now()
            FROM versions v JOIN unnest(CAST(:documents AS text[]), CAST(:numbers AS int[])) AS w(document_id, number)
              ON v.document_id = w.document_id AND v.number = w.number
            WHERE d.id = v.document_id
        """),
        pairs,
    )


def _count_terms(
    connection: Connection,
    generation_id: int,
    done: PublicationPlan,
    unpack: Callable[[bytes], Mapping[int, float]],
) -> None:
    """Keep the document frequencies of the keyword leg exact for the open rows."""
    delta = _occurrences((row.terms for row in done.added), unpack)
    delta.subtract(_occurrences(done.closed.values(), unpack))
    changes = {term: count for term, count in delta.items() if count}
    if changes:
        connection.execute(
            sa.text("""
                INSERT INTO term_counts AS t (generation_id, term, rows)
                SELECT :generation, * FROM unnest(CAST(:terms AS bigint[]), CAST(:counts AS bigint[]))
                ON CONFLICT (generation_id, term) DO UPDATE SET rows = t.rows + excluded.rows
            """),
            {"generation": generation_id, "terms": list(changes), "counts": list(changes.values())},
        )
    connection.execute(
        generations.update()
        .where(generations.c.id == generation_id)
        .values(rows=generations.c.rows + len(done.added) - len(done.closed))
    )


def _occurrences(packed: Iterable[bytes], unpack: Callable[[bytes], Mapping[int, float]]) -> Counter[int]:
    counter: Counter[int] = Counter()
    for item in packed:
        counter.update(unpack(item).keys())
    return counter
