"""What one search stands on, read in one statement: the asker's rights, the epoch, the live index, term statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kbcore.domain.document import Classification
from kbcore.errors import NotFound
from kbcore.metadata.access import PRINCIPALS_CTE, READABLE
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
class LiveIndex:
    """The index generation that answers. `embedding` names the model of its vectors; `rows` is N of the IDF."""

    id: int
    collection: str
    embedding: str
    rows: int

    @property
    def label(self) -> str:
        """`model@generation`, as the API shows it."""
        return f"{self.embedding.partition('@')[0]}@{self.id}"


@dataclass(frozen=True, slots=True)
class Standpoint:
    """Everything that one search must agree on with itself, from one snapshot.

    `index` is None before the first publication. `rows_with_term` counts open rows by term id.
    """

    scope: ReadScope
    epoch: int
    index: LiveIndex | None
    rows_with_term: Mapping[int, int]
    space_keys: frozenset[int] | None
    document_keys: frozenset[int] | None


_STANDPOINT = sa.text(f"""
    WITH RECURSIVE {PRINCIPALS_CTE},
    live AS (SELECT id, collection, embedding, rows FROM generations WHERE state = 'live'),
    standing AS (
        SELECT CASE
            WHEN CAST(:as_of AS timestamptz) IS NULL THEN value
            ELSE LEAST(value, (SELECT COALESCE(max(epoch), 0) FROM publications WHERE committed_at <= :as_of))
        END AS epoch FROM epoch
    ),
    named AS (
        SELECT s.id, s.key, s.name FROM spaces s
        WHERE (s.id = ANY(:spaces) OR s.name = ANY(:spaces)) AND (
            s.policy_id IN (SELECT policy_id FROM readable_policies)
            OR EXISTS (SELECT FROM users WHERE id = :user_id AND active AND is_admin)
            OR EXISTS (SELECT FROM documents d WHERE d.space_id = s.id AND {READABLE})
        )
    ),
    matching AS (
        SELECT d.key FROM documents d JOIN spaces s ON s.id = d.space_id
        WHERE :by_document AND {READABLE}
            AND d.tags @> :tags AND d.metadata @> :metadata
            AND (CAST(:language AS text) IS NULL OR EXISTS (
                SELECT FROM chunks c, live, standing WHERE c.document_id = d.id AND c.generation_id = live.id
                    AND c.language = :language AND c.valid_from <= standing.epoch AND c.valid_to > standing.epoch
            ))
    )
    SELECT (SELECT clearance FROM asker) AS clearance,
        ARRAY(SELECT policy_id FROM readable_policies) AS policy_ids,
        standing.epoch, live.id, live.collection, live.embedding, live.rows,
        ARRAY(SELECT key FROM named) AS space_keys,
        ARRAY(SELECT unnest(ARRAY[id, name]) FROM named) AS space_names,
        ARRAY(SELECT key FROM matching) AS document_keys,
        ARRAY(SELECT ARRAY[t.term, t.rows] FROM term_counts t
              WHERE t.generation_id = live.id AND t.term = ANY(:terms)) AS rows_with_term
    FROM standing LEFT JOIN live ON true
""").bindparams(
    sa.bindparam("spaces", type_=ARRAY(sa.Text)),
    sa.bindparam("tags", type_=ARRAY(sa.Text)),
    sa.bindparam("metadata", type_=JSONB),
    sa.bindparam("terms", type_=ARRAY(sa.BigInteger)),
    sa.bindparam("as_of", type_=sa.DateTime(timezone=True)),
)


def take_standpoint(
    connection: Connection, user_id: str, narrowing: Narrowing, terms: Sequence[int], as_of: datetime | None = None
) -> Standpoint:
    """Where this user's search stands now, or stood at `as_of` (rights are today's in either case).

    `terms` are the term ids of the question. A named space that is unknown or hidden raises `NotFound("space")`.
    """
    row = connection.execute(
        _STANDPOINT,
        {
            "user_id": user_id,
            "spaces": list(narrowing.spaces or ()),
            "by_document": narrowing.by_document,
            "tags": list(narrowing.tags),
            "metadata": dict(narrowing.metadata),
            "language": narrowing.language,
            "terms": list(terms),
            "as_of": as_of,
        },
    ).one()
    if narrowing.spaces is not None and not set(narrowing.spaces) <= set(row.space_names):
        raise NotFound("space")
    return Standpoint(
        scope=ReadScope(
            policy_ids=frozenset(row.policy_ids if row.clearance is not None else ()),
            clearance=Classification(row.clearance or 0),
        ),
        epoch=row.epoch,
        index=None if row.id is None else LiveIndex(row.id, row.collection, row.embedding, row.rows),
        rows_with_term=dict(row.rows_with_term),
        space_keys=None if narrowing.spaces is None else frozenset(row.space_keys),
        document_keys=frozenset(row.document_keys) if narrowing.by_document else None,
    )
