"""What a publication would change, read from SQL under the publish lock; `publications.commit` makes it true."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.chunk import VectorStamp
from kbcore.domain.document import FOREVER
from kbcore.metadata.in_force import ENDS
from kbcore.metadata.index_rows import IndexRow


@dataclass(frozen=True, slots=True)
class PublicationPlan:
    """What epoch `epoch` changes.

    `versions` are published, `withdrawn` are documents that end, `ended` are the versions that cease to be published,
    by document. `reused` maps a staged chunk to the open row with the same embedded text, whose vector and row stay;
    `closed` are rows that no published version places any more. `dates` are the effective dates
    of `versions`, by which the plan was made.
    """

    epoch: int
    generation_id: int
    versions: Mapping[str, int]
    withdrawn: frozenset[str]
    ended: Mapping[str, Sequence[int]]
    added: Sequence[IndexRow]
    reused: Mapping[str, str]
    closed: frozenset[str]
    dates: Mapping[str, tuple[datetime | None, datetime | None]]
    jobs: Sequence[str] = field(default=())

    @property
    def empty(self) -> bool:
        """True if there is nothing to publish."""
        return not self.versions and not self.withdrawn and not self.ended

    @property
    def documents(self) -> list[str]:
        """Every document that it changes."""
        return sorted({*self.versions, *self.withdrawn, *self.ended})


_READY = sa.text(f"""
    SELECT DISTINCT ON (v.document_id) v.document_id, v.number, v.effective_from, v.effective_to
    FROM versions v JOIN documents d ON d.id = v.document_id
    WHERE v.state = 'staged' AND v.staged_in = :generation AND d.deleted_at IS NULL AND NOT EXISTS (
        SELECT FROM versions n, versions o
        WHERE o.document_id = v.document_id AND o.number = v.number AND n.document_id = v.document_id
            AND n.number > v.number AND n.valid_from IS NOT NULL AND {ENDS})
    ORDER BY v.document_id, v.number LIMIT :limit
""")
_WITHDRAWN = sa.text("""
    SELECT j.document_id FROM jobs j JOIN documents d ON d.id = j.document_id
    WHERE j.kind = 'withdraw' AND j.state IN ('queued', 'running') AND d.deleted_at IS NOT NULL LIMIT :limit
""")
# What the ready versions end, all that is left of withdrawn documents, and what a version that was published before its
# time ends now that its time has come (`:since` keeps that question small).
_ENDED = sa.text(f"""
    SELECT o.document_id, o.number FROM versions o
    JOIN unnest(CAST(:documents AS text[]), CAST(:numbers AS int[])) AS w(document_id, number)
      ON w.document_id = o.document_id AND o.number < w.number
    JOIN versions n ON n.document_id = w.document_id AND n.number = w.number
    WHERE o.valid_to = :forever AND {ENDS}
    UNION
    SELECT o.document_id, o.number FROM versions o WHERE o.document_id = ANY(:withdrawn) AND o.valid_to = :forever
    UNION
    SELECT o.document_id, o.number FROM versions n
    JOIN versions o ON o.document_id = n.document_id AND o.number < n.number
    WHERE n.valid_to = {FOREVER} AND o.valid_to = {FOREVER} AND n.effective_from <= now()
      AND (CAST(:since AS timestamptz) IS NULL OR n.effective_from > :since) AND {ENDS}
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
# `stays`: a published version that does not end now places the row.
_OPEN_ROWS = sa.text("""
    SELECT c.id, c.document_id, c.embedded_hash, EXISTS (
        SELECT FROM version_chunks p JOIN versions v ON v.document_id = p.document_id AND v.number = p.version
        WHERE p.generation_id = c.generation_id AND p.chunk_id = c.id AND v.valid_to = :forever AND NOT EXISTS (
            SELECT FROM unnest(CAST(:ended_documents AS text[]), CAST(:ended_numbers AS int[])) AS e(document, number)
            WHERE e.document = v.document_id AND e.number = v.number)
    ) AS stays
    FROM chunks c
    WHERE c.generation_id = :generation AND c.document_id = ANY(:documents) AND c.valid_to = :forever
    ORDER BY c.id
""")
_JOBS = sa.text("""
    SELECT id FROM jobs WHERE state IN ('queued', 'running') AND (
        (kind = 'withdraw' AND document_id = ANY(:withdrawn))
        OR (kind = 'ingest' AND (document_id, version) IN (
            SELECT * FROM unnest(CAST(:documents AS text[]), CAST(:numbers AS int[])))))
""")


def plan(
    connection: Connection, generation_id: int, model: str, *, limit: int, since: datetime | None = None
) -> PublicationPlan:
    """What the next publication changes: at most `limit` staged versions, one for each document, and withdrawals.

    Also ends versions whose successor's time came after `since` (None: whenever).
    """
    found = connection.execute(_READY, {"limit": limit, "generation": generation_id}).all()
    ready = {row.document_id: row.number for row in found}
    withdrawn = frozenset(connection.execute(_WITHDRAWN, {"limit": limit}).scalars())
    pairs = {"documents": list(ready), "numbers": list(ready.values())}
    ended: dict[str, list[int]] = {}
    asked = {**pairs, "withdrawn": list(withdrawn), "forever": FOREVER, "since": since}
    for row in connection.execute(_ENDED, asked):
        ended.setdefault(row.document_id, []).append(row.number)

    next_epoch = _next_epoch(connection)
    touched = sorted({*ready, *withdrawn, *ended})
    open_rows = _open_rows(connection, generation_id, touched, ended)
    staged = connection.execute(_STAGED_ROWS, {**pairs, "generation": generation_id, "model": model}).all()
    added, reused = _match(staged, [row for row in open_rows if row.document_id in ready], next_epoch)
    kept = {*reused.values(), *(row.id for row in open_rows if row.stays)}
    return PublicationPlan(
        epoch=next_epoch,
        generation_id=generation_id,
        versions=ready,
        withdrawn=withdrawn,
        ended=ended,
        added=added,
        reused=reused,
        closed=frozenset(row.id for row in open_rows if row.id not in kept),
        dates={row.document_id: (row.effective_from, row.effective_to) for row in found},
        jobs=connection.execute(_JOBS, {**pairs, "withdrawn": list(withdrawn)}).scalars().all(),
    )


def _open_rows(
    connection: Connection, generation_id: int, documents: Sequence[str], ended: Mapping[str, Sequence[int]]
) -> Sequence[sa.Row[tuple[object, ...]]]:
    pairs = [(document, number) for document, numbers in ended.items() for number in numbers]
    return connection.execute(
        _OPEN_ROWS,
        {
            "generation": generation_id,
            "documents": documents,
            "forever": FOREVER,
            "ended_documents": [document for document, _ in pairs],
            "ended_numbers": [number for _, number in pairs],
        },
    ).all()


def _match(
    staged: Iterable[sa.Row[tuple[object, ...]]], open_rows: Iterable[sa.Row[tuple[object, ...]]], epoch_: int
) -> tuple[list[IndexRow], dict[str, str]]:
    """The rows to add, and for every other staged chunk the open row that holds its embedded text already."""
    reusable: dict[tuple[str, bytes], list[str]] = {}
    for row in open_rows:
        reusable.setdefault((row.document_id, row.embedded_hash), []).append(row.id)
    added: list[IndexRow] = []
    reused: dict[str, str] = {}
    for row in staged:
        if same := reusable.get((row.document_id, row.embedded_hash)):
            reused[row.chunk_id] = same.pop(0)
        else:
            stamp = VectorStamp(
                row.document_key, row.space_key, row.policy_id, row.level, valid_from=epoch_, valid_to=FOREVER
            )
            added.append(IndexRow(row.chunk_id, stamp, row.vector, row.terms))
    return added, reused


def _next_epoch(connection: Connection) -> int:
    return int(connection.execute(sa.text("SELECT value + 1 FROM epoch")).scalar_one())
