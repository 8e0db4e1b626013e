"""Erasures in SQL: what was asked for, what was found, and the signed proof that it is gone."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from kbcore.domain.ids import new_id
from kbcore.metadata.tables import documents, erasures


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure. `certificate` is the signed document, None until every probe has come back empty."""

    id: str
    document_id: str
    space_id: str
    reason: str | None
    requested_by: str
    created_at: datetime
    job_id: str | None
    certificate: Mapping[str, Any] | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Found:
    """What there was of a document, by what identifies it: to remove it, to probe for it, and to count it.

    `rows` are chunk ids by generation, `vectors` counts rows of Milvus by collection, `hashes` (hex) identify stored
    vectors and `blobs` bytes, `turns` are ids of answers; `comments`, `replies` and `traces` are counts.
    """

    versions: int = 0
    rows: Mapping[int, frozenset[str]] = field(default_factory=dict)
    vectors: Mapping[str, int] = field(default_factory=dict)
    hashes: frozenset[str] = frozenset()
    blobs: frozenset[str] = frozenset()
    turns: frozenset[str] = frozenset()
    comments: int = 0
    replies: int = 0
    traces: int = 0

    def and_before(self, before: "Found") -> Self:
        """This and what an interrupted try had found, part of which may be gone by now."""
        return type(self)(
            versions=max(self.versions, before.versions),
            rows={
                generation: self.rows.get(generation, frozenset()) | before.rows.get(generation, frozenset())
                for generation in {*self.rows, *before.rows}
            },
            vectors={
                name: max(self.vectors.get(name, 0), before.vectors.get(name, 0))
                for name in {*self.vectors, *before.vectors}
            },
            hashes=self.hashes | before.hashes,
            blobs=self.blobs | before.blobs,
            turns=self.turns | before.turns,
            comments=max(self.comments, before.comments),
            replies=max(self.replies, before.replies),
            traces=max(self.traces, before.traces),
        )


_SHOWN = [erasures.c[each.name] for each in fields(Erasure)]


def insert(connection: Connection, *, document_id: str, space_id: str, reason: str | None, requested_by: str) -> str:
    """Add an erasure and return its id."""
    erasure_id = new_id()
    connection.execute(
        erasures.insert().values(
            id=erasure_id, document_id=document_id, space_id=space_id, reason=reason, requested_by=requested_by
        )
    )
    return erasure_id


def set_job(connection: Connection, erasure_id: str, job_id: str) -> None:
    """Note the job that carries it out."""
    connection.execute(erasures.update().where(erasures.c.id == erasure_id).values(job_id=job_id))


def get(connection: Connection, erasure_id: str) -> Erasure | None:
    """One erasure."""
    return _one(connection.execute(sa.select(*_SHOWN).where(erasures.c.id == erasure_id)).one_or_none())


def of_document(connection: Connection, document_id: str) -> Erasure | None:
    """The erasure of a document."""
    query = sa.select(*_SHOWN).where(erasures.c.document_id == document_id).order_by(erasures.c.id.desc()).limit(1)
    return _one(connection.execute(query).one_or_none())


def keep_found(connection: Connection, erasure_id: str, found: Found) -> Found:
    """Remember what was found, together with what was remembered before; returns both."""
    before = connection.execute(sa.select(erasures.c.found).where(erasures.c.id == erasure_id)).scalar_one()
    together = found if before is None else found.and_before(_read(before))
    connection.execute(erasures.update().where(erasures.c.id == erasure_id).values(found=_written(together)))
    return together


def certify(connection: Connection, erasure_id: str, certificate: Mapping[str, Any], finished_at: datetime) -> None:
    """Keep the certificate, and forget what identified the things that are gone."""
    connection.execute(
        erasures.update()
        .where(erasures.c.id == erasure_id, erasures.c.finished_at.is_(None))
        .values(certificate=dict(certificate), found=sa.null(), finished_at=finished_at)
    )


def document_key(connection: Connection, document_id: str) -> int:
    """The integer that the document's rows in the index carry."""
    return int(connection.execute(sa.select(documents.c.key).where(documents.c.id == document_id)).scalar_one())


def _one(row: Row[tuple[object, ...]] | None) -> Erasure | None:
    return None if row is None else Erasure(**row._mapping)


def _written(found: Found) -> dict[str, Any]:
    return {
        "versions": found.versions,
        "rows": {str(generation): sorted(ids) for generation, ids in found.rows.items()},
        "vectors": dict(found.vectors),
        "hashes": sorted(found.hashes),
        "blobs": sorted(found.blobs),
        "turns": sorted(found.turns),
        "comments": found.comments,
        "replies": found.replies,
        "traces": found.traces,
    }


def _read(stored: Mapping[str, Any]) -> Found:
    sets = {name: frozenset(stored[name]) for name in ("hashes", "blobs", "turns")}
    rows = {int(generation): frozenset(ids) for generation, ids in stored["rows"].items()}
    return Found(**{**stored, **sets, "rows": rows})
