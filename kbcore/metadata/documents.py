"""Documents in SQL. Every read that serves a person goes through the `readable` condition of `access`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from kbcore.domain.document import Classification, Document
from kbcore.metadata.access import PRINCIPALS_CTE, READABLE
from kbcore.metadata.tables import documents

_COLUMNS = """
    d.id, d.key, d.space_id, s.name AS space, d.external_id, d.title, d.classification, d.own_policy_id,
    COALESCE(d.own_policy_id, s.policy_id) AS policy_id, d.tags, d.metadata, d.effective_from, d.effective_to,
    d.version, d.latest_version, d.created_by, d.created_at, d.updated_at, d.source
"""
_FROM = "FROM documents d JOIN spaces s ON s.id = d.space_id"

_GET = sa.text(f"SELECT {_COLUMNS} {_FROM} WHERE d.id = :id AND d.deleted_at IS NULL")
_GET_READABLE = sa.text(f"WITH RECURSIVE {PRINCIPALS_CTE} SELECT {_COLUMNS} {_FROM} WHERE d.id = :id AND {READABLE}")
_LIST_READABLE = sa.text(f"""
    WITH RECURSIVE {PRINCIPALS_CTE}
    SELECT {_COLUMNS}, v.state {_FROM} JOIN versions v ON v.document_id = d.id AND v.number = d.latest_version
    WHERE {READABLE}
      AND (CAST(:space_id AS text) IS NULL OR d.space_id = :space_id)
      AND (CAST(:state AS text) IS NULL OR v.state = :state)
      AND (CAST(:q AS text) IS NULL OR strpos(lower(d.title), lower(:q)) > 0)
      AND (CAST(:source AS text) IS NULL OR d.source = :source)
      AND (CAST(:external_id AS text) IS NULL OR d.external_id = :external_id)
      AND (CAST(:after AS text) IS NULL OR d.id < :after)
    ORDER BY d.id DESC LIMIT :limit
""")
_BY_EXTERNAL_ID = sa.text(f"""
    SELECT {_COLUMNS} {_FROM}
    WHERE d.space_id = :space_id AND d.external_id = :external_id AND d.deleted_at IS NULL FOR UPDATE OF d
""")


@dataclass(frozen=True, slots=True)
class NewDocument:
    """What an upload says about a document."""

    id: str
    space_id: str
    external_id: str | None
    title: str
    classification: Classification
    tags: Sequence[str]
    metadata: Mapping[str, object]
    effective_from: datetime | None
    effective_to: datetime | None
    created_by: str
    source: str | None = None


def insert(connection: Connection, new: NewDocument) -> None:
    """Add a document without versions. Raises `IntegrityError` if the external id is taken in the space."""
    connection.execute(
        documents.insert().values(
            id=new.id,
            space_id=new.space_id,
            external_id=new.external_id,
            title=new.title,
            classification=int(new.classification),
            tags=list(new.tags),
            metadata=dict(new.metadata),
            effective_from=new.effective_from,
            effective_to=new.effective_to,
            created_by=new.created_by,
            source=new.source,
        )
    )


def get(connection: Connection, document_id: str) -> Document | None:
    """A document that is not deleted, whoever asks: for the ingestion half and for rights other than reading."""
    row = connection.execute(_GET, {"id": document_id}).one_or_none()
    return None if row is None else _document(row)


def highest_classification(connection: Connection, document_ids: Collection[str]) -> Classification:
    """Of these documents, deleted ones too, as they are classified now; `PUBLIC` if there are none."""
    highest = sa.select(sa.func.max(documents.c.classification)).where(documents.c.id.in_(document_ids))
    return Classification(connection.execute(highest).scalar_one() or 0)


def ever_existed(connection: Connection, document_id: str) -> bool:
    """True for every document that was received, deleted and erased ones included."""
    return connection.execute(sa.select(sa.exists().where(documents.c.id == document_id))).scalar_one()


def get_readable(connection: Connection, user_id: str, document_id: str) -> Document | None:
    """A document, if this user may read it now; None for unknown and unreadable alike."""
    row = connection.execute(_GET_READABLE, {"user_id": user_id, "id": document_id}).one_or_none()
    return None if row is None else _document(row)


def list_readable(
    connection: Connection,
    user_id: str,
    *,
    space_id: str | None = None,
    state: str | None = None,
    q: str | None = None,
    source: str | None = None,
    external_id: str | None = None,
    after: str | None = None,
    limit: int,
) -> list[Document]:
    """Documents that this user may read now, newest first; `after` is the last id of the page before.

    `state` is the state of the latest version; `q` is a part of the title, in any case.
    """
    rows = connection.execute(
        _LIST_READABLE,
        {
            "user_id": user_id,
            "space_id": space_id,
            "state": state,
            "q": q,
            "source": source,
            "external_id": external_id,
            "after": after,
            "limit": limit,
        },
    )
    return [_document(row) for row in rows]


def ids_of(connection: Connection, space_ids: Sequence[str] | None) -> list[str]:
    """Every document of these spaces (None = of all) that is not deleted, whoever asks, oldest first."""
    query = sa.select(documents.c.id).where(documents.c.deleted_at.is_(None)).order_by(documents.c.id)
    if space_ids is not None:
        query = query.where(documents.c.space_id.in_(space_ids))
    return list(connection.execute(query).scalars())


def lock_by_external_id(connection: Connection, space_id: str, external_id: str) -> Document | None:
    """The live document with this external id, locked until the transaction ends."""
    row = connection.execute(_BY_EXTERNAL_ID, {"space_id": space_id, "external_id": external_id}).one_or_none()
    return None if row is None else _document(row)


def lock(connection: Connection, document_id: str) -> Document | None:
    """The document, locked until the transaction ends; None if it is unknown or deleted."""
    found = connection.execute(
        sa.select(documents.c.id)
        .where(documents.c.id == document_id, documents.c.deleted_at.is_(None))
        .with_for_update()
    ).one_or_none()
    return None if found is None else get(connection, document_id)


def lock_whatever(connection: Connection, document_id: str) -> str | None:
    """Lock a document, deleted or not, until the transaction ends; returns its space's id, None if it is unknown."""
    query = sa.select(documents.c.space_id).where(documents.c.id == document_id)
    return connection.execute(query.with_for_update()).scalar_one_or_none()


def hold_unerased(connection: Connection, document_ids: Collection[str]) -> bool:
    """Keep documents from being erased until the transaction ends; False if one of them is already.

    For whoever is about to write something that was made from their text.
    """
    chosen = documents.c.id == sa.any_(sa.bindparam("ids"))
    query = sa.select(documents.c.erased_at).where(chosen).order_by(documents.c.id).with_for_update(read=True)
    found = connection.execute(query, {"ids": list(document_ids)}).scalars().all()
    return all(erased_at is None for erased_at in found)


def update(connection: Connection, document_id: str, **values: object) -> None:
    """Set columns of a document."""
    connection.execute(
        documents.update().where(documents.c.id == document_id).values(updated_at=sa.func.now(), **values)
    )


def mark_deleted(connection: Connection, document_id: str, by: str) -> None:
    """Hide a document from every reader from this transaction's commit on. Its history stays."""
    connection.execute(
        documents.update()
        .where(documents.c.id == document_id, documents.c.deleted_at.is_(None))
        .values(deleted_at=sa.func.now(), deleted_by=by, updated_at=sa.func.now())
    )


def _document(row: Row[tuple[object, ...]]) -> Document:
    values = {name: value for name, value in row._mapping.items() if name != "state"}
    values["classification"] = Classification(row.classification)
    values["tags"] = tuple(row.tags)
    return Document(**values)
