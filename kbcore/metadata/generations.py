"""Index generations in SQL: which collection is live, what each was built with, and how far each has followed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from kbcore.language.analyzer import DEFAULT_ANALYZER
from kbcore.metadata import vector_lock
from kbcore.metadata.tables import chunks, embeddings, epoch, generations, row_counts, term_counts


class GenerationState(StrEnum):
    """`building` → `ready` → `live` → `retired`; a retired one can become live again. The last three are final."""

    BUILDING = "building"
    READY = "ready"  # complete; follows the live one
    LIVE = "live"  # what searches use
    RETIRED = "retired"  # was live; follows, so that going back is immediate
    CANCELLED = "cancelled"
    FAILED = "failed"
    DROPPED = "dropped"


KEPT = (GenerationState.BUILDING, GenerationState.READY, GenerationState.LIVE, GenerationState.RETIRED)
"""States of generations that have a collection."""

BEING_WRITTEN = (GenerationState.BUILDING, GenerationState.READY, GenerationState.RETIRED)
"""States in which documents' rows may be replaced as a whole: never the live one's."""

FOLLOWING = (GenerationState.READY, GenerationState.RETIRED)
"""States of generations that take over what is published."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One index: a collection, the embedding model of its vectors, how its chunks were cut and its words analysed.

    `built_through` is the epoch up to which it holds every publication (None for the live one, which holds all, and
    for one whose collection and rows were removed).
    `cursor` is the key of the last document of its first pass, None when that is over. `rows` are its open rows.
    """

    id: int
    collection: str
    embedding: str
    dimension: int
    chunking: Mapping[str, int]
    space_chunking: Mapping[str, Mapping[str, int]]
    analyzer: str
    state: GenerationState
    rows: int
    built_through: int | None
    cursor: int | None
    gate: Mapping[str, object] | None
    evaluation_id: str | None
    job_id: str | None
    created_by: str
    created_at: datetime
    ready_at: datetime | None
    live_at: datetime | None
    retired_at: datetime | None

    def chunking_of(self, space_id: str) -> Mapping[str, int]:
        """How documents of a space are cut."""
        return self.space_chunking.get(space_id, self.chunking)

    @property
    def label(self) -> str:
        """`model@generation`, as the API shows it."""
        return f"{self.embedding.partition('@')[0]}@{self.id}"


@dataclass(frozen=True, slots=True)
class NewGeneration:
    """What a generation is built with."""

    embedding: str
    dimension: int
    chunking: Mapping[str, int]
    space_chunking: Mapping[str, Mapping[str, int]]
    analyzer: str = DEFAULT_ANALYZER
    gate: Mapping[str, object] | None = None
    created_by: str = "system"


_COLUMNS = [generations.c[field.name] for field in fields(Generation)]


def live(connection: Connection) -> Generation | None:
    """The generation that searches use; None before the first worker start."""
    found = _in_states(connection, (GenerationState.LIVE,))
    return found[0] if found else None


def get(connection: Connection, generation_id: int) -> Generation | None:
    """One generation, in whatever state."""
    row = connection.execute(sa.select(*_COLUMNS).where(generations.c.id == generation_id)).one_or_none()
    return None if row is None else _generation(row)


def lock(connection: Connection, generation_id: int, *, shared: bool = False) -> Generation | None:
    """One generation, whose state can't change until the transaction ends."""
    query = sa.select(*_COLUMNS).where(generations.c.id == generation_id).with_for_update(read=shared)
    row = connection.execute(query).one_or_none()
    return None if row is None else _generation(row)


def list_of(connection: Connection) -> list[Generation]:
    """All generations, newest first."""
    return [_generation(row) for row in connection.execute(sa.select(*_COLUMNS).order_by(generations.c.id.desc()))]


def kept(connection: Connection) -> list[Generation]:
    """Those that have a collection, oldest first."""
    return _in_states(connection, KEPT)


def hold_given_up(connection: Connection) -> list[Generation]:
    """Those that are not kept, but whose collection may not have been removed yet, oldest first.

    Until the transaction ends none of them is begun again (a retry), and nobody forgets its rows.
    """
    given_up = (GenerationState.CANCELLED, GenerationState.FAILED, GenerationState.DROPPED)
    query = sa.select(*_COLUMNS).where(generations.c.state.in_(given_up), generations.c.built_through.is_not(None))
    return [_generation(row) for row in connection.execute(query.order_by(generations.c.id).with_for_update())]


def following(connection: Connection) -> list[Generation]:
    """Those that take over what the live one publishes, oldest first."""
    return _in_states(connection, FOLLOWING)


def insert_live(
    connection: Connection, *, prefix: str, embedding: str, dimension: int, chunking: Mapping[str, int]
) -> Generation:
    """Make the first generation, live at once. Raises `IntegrityError` if there is a live one."""
    new = NewGeneration(embedding, dimension, chunking, {})
    generation_id = _insert(
        connection, prefix, new, GenerationState.LIVE, live_at=sa.func.now(), ready_at=sa.func.now()
    )
    return _known(connection, generation_id)


def insert_building(connection: Connection, prefix: str, new: NewGeneration, *, through: int) -> Generation:
    """A generation to be built. What was published up to the epoch `through` comes in its first pass."""
    generation_id = _insert(connection, prefix, new, GenerationState.BUILDING, built_through=through, cursor=0)
    return _known(connection, generation_id)


def update(connection: Connection, generation_id: int, **values: object) -> None:
    """Set columns of a generation."""
    connection.execute(generations.update().where(generations.c.id == generation_id).values(**values))


def move(
    connection: Connection,
    generation_id: int,
    states: Collection[GenerationState],
    to: GenerationState,
    **values: object,
) -> bool:
    """Change the state of a generation that is in one of `states`; False if it is not."""
    result = connection.execute(
        generations.update()
        .where(generations.c.id == generation_id, generations.c.state.in_(states))
        .values(state=to, **values)
    )
    return result.rowcount == 1


def switch_live(connection: Connection, old: Generation, new: Generation, epoch: int) -> None:
    """Make `new` live and retire `old`, in the caller's transaction under the publish lock."""
    update(connection, old.id, state=GenerationState.RETIRED, retired_at=sa.func.now(), built_through=epoch)
    update(
        connection,
        new.id,
        state=GenerationState.LIVE,
        live_at=sa.func.now(),
        retired_at=None,
        built_through=None,
        cursor=None,
    )


def behind(connection: Connection) -> list[Generation]:
    """Those that follow the live one and have not taken over all that is published, oldest first."""
    present = sa.select(epoch.c.value).scalar_subquery()
    query = sa.select(*_COLUMNS).where(generations.c.state.in_(FOLLOWING), generations.c.built_through < present)
    return [_generation(row) for row in connection.execute(query.order_by(generations.c.id))]


def forget_rows(connection: Connection, generation_id: int) -> None:
    """Remove a generation's chunks, places and statistics, and vectors of a model that no kept generation uses.

    Its row stays as history.
    """
    mine = sa.select(generations.c.embedding).where(generations.c.id == generation_id).scalar_subquery()
    used = sa.exists().where(generations.c.state.in_(KEPT), generations.c.embedding == mine)
    unused_model = not connection.execute(sa.select(used)).scalar_one()
    if unused_model:  # before any row, as everywhere; and only then, for nothing can be staged meanwhile
        vector_lock.hold_for_removal(connection)
    connection.execute(chunks.delete().where(chunks.c.generation_id == generation_id))
    for counts in (term_counts, row_counts):
        connection.execute(counts.delete().where(counts.c.generation_id == generation_id))
    update(connection, generation_id, rows=0)
    gone = sa.and_(generations.c.id == generation_id, generations.c.state.not_in(KEPT))
    connection.execute(generations.update().where(gone).values(built_through=None))
    if unused_model:
        connection.execute(embeddings.delete().where(embeddings.c.model == mine))


def documents_in(connection: Connection, generation_id: int) -> int:
    """How many documents have rows in a generation."""
    query = sa.select(sa.func.count(sa.distinct(chunks.c.document_id))).where(chunks.c.generation_id == generation_id)
    return int(connection.execute(query).scalar_one())


def _insert(connection: Connection, prefix: str, new: NewGeneration, state: GenerationState, **values: object) -> int:
    number = int(connection.execute(sa.select(sa.func.nextval("generations_id_seq"))).scalar_one())
    connection.execute(
        generations.insert().values(
            id=number,
            collection=f"{prefix}_g{number}",
            embedding=new.embedding,
            dimension=new.dimension,
            chunking=dict(new.chunking),
            space_chunking={space: dict(chunking) for space, chunking in new.space_chunking.items()},
            analyzer=new.analyzer,
            gate=None if new.gate is None else dict(new.gate),
            created_by=new.created_by,
            state=state,
            **values,
        )
    )
    return number


def _in_states(connection: Connection, states: Collection[GenerationState]) -> list[Generation]:
    query = sa.select(*_COLUMNS).where(generations.c.state.in_(states)).order_by(generations.c.id)
    return [_generation(row) for row in connection.execute(query)]


def _known(connection: Connection, generation_id: int) -> Generation:
    return _generation(connection.execute(sa.select(*_COLUMNS).where(generations.c.id == generation_id)).one())


def _generation(row: Row[tuple[object, ...]]) -> Generation:
    return Generation(**{**row._mapping, "state": GenerationState(row.state)})
