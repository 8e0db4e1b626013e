"""Index generations in SQL: which collection is live, and what it was built with."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.metadata.tables import generations


@dataclass(frozen=True, slots=True)
class Generation:
    """One index: a collection, the embedding model of its vectors, and how its chunks were cut."""

    id: int
    collection: str
    embedding: str
    dimension: int
    chunking: Mapping[str, int]


def live(connection: Connection) -> Generation | None:
    """The generation that searches use; None before the first worker start."""
    row = connection.execute(
        sa.select(
            generations.c.id,
            generations.c.collection,
            generations.c.embedding,
            generations.c.dimension,
            generations.c.chunking,
        ).where(generations.c.state == "live")
    ).one_or_none()
    return None if row is None else Generation(**row._mapping)


def insert_live(
    connection: Connection, *, prefix: str, embedding: str, dimension: int, chunking: Mapping[str, int]
) -> Generation:
    """Make the first generation, live at once. Raises `IntegrityError` if there is a live one."""
    number = connection.execute(sa.select(sa.func.nextval("generations_id_seq"))).scalar_one()
    collection = f"{prefix}_g{number}"
    connection.execute(
        generations.insert().values(
            id=number,
            collection=collection,
            embedding=embedding,
            dimension=dimension,
            chunking=dict(chunking),
            state="live",
        )
    )
    return Generation(number, collection, embedding, dimension, dict(chunking))
