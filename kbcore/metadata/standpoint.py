"""What one search stands on, read in one statement: the asker's rights, the epoch, the live index, term statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kbcore.domain.document import Classification
from kbcore.domain.principal import Caller
from kbcore.errors import NotFound
from kbcore.metadata.access import IN_CHARGE, PRINCIPALS_CTE, READABLE, asker
from kbcore.metadata.in_force import in_force
from kbcore.permissions.scope import ReadScope


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What the asker wants to search in; None or empty = everything it may read.

    `spaces` are ids or names. A document matches if it has every one of `tags` and contains `metadata` (JSON
    containment); a passage matches if it is in `language`.
    """

    spaces: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()
    language: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)

    @property
    def by_document(self) -> bool:
        """True if the documents that match must be listed."""
        return bool(self.tags or self.language or self.metadata)


@dataclass(frozen=True, slots=True)
class AsOf:
    """Which state of the documents is asked about: at most one of `time`, `snapshot` and `epoch`; none = the present.

    `effective_at` asks for what was, or will be, in force then according to that state; None = at the state's own time.
    A `time` before anything was published has no recorded state: it is taken as `effective_at`, of versions with dates.
    """

    time: datetime | None = None
    snapshot: str | None = None
    epoch: int | None = None
    effective_at: datetime | None = None

    @property
    def present(self) -> bool:
        """True if nothing else than the present is asked about."""
        return self == AsOf()


PRESENT = AsOf()


@dataclass(frozen=True, slots=True)
class Index:
    """The index generation that answers. `embedding` names the model of its vectors; `rows` are all that are open."""

    id: int
    collection: str
    embedding: str
    analyzer: str
    rows: int

    @property
    def label(self) -> str:
        """`model@generation`, as the API shows it."""
        return f"{self.embedding.partition('@')[0]}@{self.id}"


@dataclass(frozen=True, slots=True)
class Standpoint:
    """Everything that one search must agree on with itself, from one snapshot.

    `index` is None before the first publication. `rows` are the open rows that the asker may read, as they are stamped,
    and `rows_with_term` those of them with a term, by its id; terms without any are left out. Versions count that were
    published at `epoch` and in force at `at`; with `history` also replaced ones, with `dated` only those with dates.
    """

    scope: ReadScope
    epoch: int
    at: datetime
    history: bool
    dated: bool
    index: Index | None
    rows: int
    rows_with_term: Mapping[int, int]
    space_keys: frozenset[int] | None
    document_keys: frozenset[int] | None


_PUBLISHED = """
    v.valid_from <= standing.epoch AND (v.valid_to > standing.epoch OR standing.history)
    AND (NOT standing.dated OR v.effective_from IS NOT NULL)
"""
# Who reads under few policies and levels looks each of them up for each term; who reads under many reads the terms
# through and keeps what is his. Where one becomes dearer than the other: docs/benchmarks.md.
_FEW_STAMPS = 1000
_STANDPOINT = sa.text(f"""
    WITH RECURSIVE {PRINCIPALS_CTE},
    index AS (
        SELECT id, collection, embedding, analyzer, rows FROM generations
        WHERE CASE WHEN CAST(:generation AS int) IS NULL THEN state = 'live'
              ELSE id = :generation AND state IN ('ready', 'live', 'retired') END
    ),
    visible_spaces AS NOT MATERIALIZED (
        SELECT s.id, s.key, s.name FROM spaces s
        WHERE s.policy_id IN (SELECT policy_id FROM readable_policies)
            OR {IN_CHARGE}
            OR EXISTS (SELECT FROM documents d WHERE d.space_id = s.id AND {READABLE})
    ),
    snapshot AS (
        SELECT n.epoch, n.created_at, s.key FROM snapshots n LEFT JOIN spaces s ON s.id = n.space_id
        WHERE n.name = :snapshot AND (n.space_id IS NULL OR n.space_id IN (SELECT id FROM visible_spaces))
    ),
    begun AS (SELECT min(committed_at) AS at FROM publications),
    standing AS (
        SELECT LEAST(e.value, COALESCE(
                (SELECT epoch FROM snapshot),
                CAST(:at_epoch AS bigint),
                CASE WHEN :time >= begun.at
                    THEN (SELECT max(epoch) FROM publications WHERE committed_at <= :time) END,
                e.value)) AS epoch,
            COALESCE(:effective_at, (SELECT created_at FROM snapshot),
                (SELECT committed_at FROM publications WHERE epoch = :at_epoch), :time, now()) AS at,
            COALESCE(:effective_at < now(), false) OR COALESCE(:time < begun.at, false) AS history,
            COALESCE(:time < begun.at, false) AS dated
        FROM epoch e, begun
    ),
    counted AS MATERIALIZED (
        SELECT r.policy_id, r.level, r.rows FROM index
        JOIN row_counts r ON r.generation_id = index.id AND r.level <= (SELECT clearance FROM asker)
        WHERE r.policy_id IN (SELECT policy_id FROM readable_policies)
    ),
    terms_of_few AS (
        SELECT t.term, t.rows FROM index CROSS JOIN counted
        JOIN term_counts t ON t.generation_id = index.id AND t.term = ANY(:terms)
            AND t.policy_id = counted.policy_id AND t.level = counted.level
        WHERE (SELECT count(*) FROM counted) <= {_FEW_STAMPS}
    ),
    terms_of_all AS MATERIALIZED (
        SELECT t.term, t.policy_id, t.level, t.rows FROM index
        JOIN term_counts t ON t.generation_id = index.id AND t.term = ANY(:terms)
        WHERE (SELECT count(*) FROM counted) > {_FEW_STAMPS}
    ),
    rows_with_term AS (
        SELECT term, CAST(sum(rows) AS bigint) AS rows FROM (
            SELECT * FROM terms_of_few
            UNION ALL
            SELECT t.term, t.rows FROM terms_of_all t
            JOIN counted ON counted.policy_id = t.policy_id AND counted.level = t.level
        ) each GROUP BY term
    ),
    named AS (SELECT id, key, name FROM visible_spaces WHERE :by_space AND (id = ANY(:spaces) OR name = ANY(:spaces))),
    matching AS (
        SELECT d.key FROM documents d JOIN spaces s ON s.id = d.space_id CROSS JOIN standing
        JOIN LATERAL ({in_force(published=_PUBLISHED, at="standing.at")}) v ON true
        WHERE :by_document AND {READABLE}
            AND v.tags @> :tags AND v.metadata @> :metadata
            AND (CAST(:language AS text) IS NULL OR EXISTS (
                SELECT FROM chunks c, index WHERE c.document_id = d.id AND c.generation_id = index.id
                    AND c.language = :language AND c.valid_from <= standing.epoch
                    AND (c.valid_to > standing.epoch OR standing.history)
            ))
    )
    SELECT (SELECT clearance FROM asker) AS clearance,
        ARRAY(SELECT policy_id FROM readable_policies) AS policy_ids,
        standing.epoch, standing.at, standing.history, standing.dated,
        index.id, index.collection, index.embedding, index.analyzer, index.rows,
        (:snapshot IS NULL OR EXISTS (SELECT FROM snapshot)) AS snapshot_found,
        (SELECT key FROM snapshot) AS snapshot_space,
        ARRAY(SELECT key FROM named) AS space_keys,
        ARRAY(SELECT unnest(ARRAY[id, name]) FROM named) AS space_names,
        ARRAY(SELECT key FROM matching) AS document_keys,
        (SELECT sum(rows) FROM counted) AS visible_rows,
        ARRAY(SELECT ARRAY[term, rows] FROM rows_with_term) AS rows_with_term
    FROM standing LEFT JOIN index ON true
""").bindparams(
    sa.bindparam("spaces", type_=ARRAY(sa.Text)),
    sa.bindparam("tags", type_=ARRAY(sa.Text)),
    sa.bindparam("metadata", type_=JSONB),
    sa.bindparam("terms", type_=ARRAY(sa.BigInteger)),
    sa.bindparam("snapshot", type_=sa.Text),
    sa.bindparam("time", type_=sa.DateTime(timezone=True)),
    sa.bindparam("effective_at", type_=sa.DateTime(timezone=True)),
)


def take_standpoint(
    connection: Connection,
    caller: Caller,
    narrowing: Narrowing,
    terms: Sequence[int],
    as_of: AsOf = PRESENT,
    generation_id: int | None = None,
) -> Standpoint:
    """Where this caller's search stands now, or stood at `as_of` (rights are today's in either case).

    `terms` are the term ids of the question. `generation_id` searches another generation than the live one.
    A named space or snapshot that is unknown or hidden raises `NotFound`.
    """
    row = connection.execute(
        _STANDPOINT,
        {
            **asker(caller),
            "by_space": narrowing.spaces is not None,
            "spaces": list(narrowing.spaces or ()),
            "by_document": narrowing.by_document,
            "tags": list(narrowing.tags),
            "metadata": dict(narrowing.metadata),
            "language": narrowing.language,
            "terms": list(terms),
            "time": as_of.time,
            "snapshot": as_of.snapshot,
            "at_epoch": as_of.epoch,
            "effective_at": as_of.effective_at,
            "generation": generation_id,
        },
    ).one()
    if narrowing.spaces is not None and not set(narrowing.spaces) <= set(row.space_names):
        raise NotFound("space")
    if not row.snapshot_found:
        raise NotFound("snapshot")
    return Standpoint(
        scope=ReadScope(
            policy_ids=frozenset(row.policy_ids if row.clearance is not None else ()),
            clearance=Classification(row.clearance or 0),
        ),
        epoch=row.epoch,
        at=row.at,
        history=row.history,
        dated=row.dated,
        index=None if row.id is None else Index(row.id, row.collection, row.embedding, row.analyzer, row.rows),
        rows=int(row.visible_rows or 0),
        rows_with_term=dict(row.rows_with_term),
        space_keys=_spaces(narrowing, row),
        document_keys=frozenset(row.document_keys) if narrowing.by_document else None,
    )


def _spaces(narrowing: Narrowing, row: sa.Row[tuple[object, ...]]) -> frozenset[int] | None:
    """The spaces to search: those that are named, and within a space's snapshot nothing else."""
    named = None if narrowing.spaces is None else frozenset(row.space_keys)
    if row.snapshot_space is None:
        return named
    only = frozenset({row.snapshot_space})
    return only if named is None else named & only
