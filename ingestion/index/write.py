"""Write: replace documents' rows in a generation that is not live, in Milvus first and then in SQL.

Killed in between, the repetition finds SQL unchanged and writes Milvus again. A row that only Milvus knows is never
shown, for SQL confirms every hit; before a generation goes live its rows are counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ingestion.index.project import Projection
from ingestion.publish import vector_row
from kbcore.bootstrap import Platform
from kbcore.domain.chunk import VectorStamp
from kbcore.errors import Unavailable
from kbcore.language.analyzer import terms
from kbcore.language.weights import document_weights, pack, unpack
from kbcore.metadata import generation_rows, generations, removal, term_statistics
from kbcore.metadata.generation_rows import BuiltPlace, BuiltRow
from kbcore.metadata.generations import Generation
from kbcore.metadata.index_rows import IndexRow, document_stamps


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a document's rows shall be, and the versions that say so."""

    document_id: str
    versions: frozenset[int]
    projection: Projection


def write(
    platform: Platform, generation: Generation, connection: Connection, group: Sequence[Prepared], *, cursor: int | None
) -> None:
    """Make these projections true. `connection` holds the publish lock; `cursor` is stored with the rows.

    A document that was deleted or erased since it was read is left out: who removes it removes its rows, too. Raises
    `Unavailable` if a version or a vector was purged since: what is to be written must be found out afresh.
    """
    ids = [each.document_id for each in group]
    with connection.begin():
        _require_being_written(connection, generation)
        readable = generation_rows.readable_versions(connection, ids)
        sound = [each for each in group if each.versions <= readable[each.document_id]]
        if any(readable[each.document_id] and each not in sound for each in group):
            raise Unavailable("history was purged while it was indexed; the work is begun again without it")
        present = generation_rows.present(connection, generation.id, [each.document_id for each in sound])
        stamps = document_stamps(connection, [each.document_id for each in sound])
        rows = _rows(generation, sound, stamps, {row.embedded_hash: row.terms for row in present.values()})
        changed = {row.id: row for row in rows if not _same(row, present.get(row.id))}
        gone = present.keys() - {row.id for row in rows}
        removal.require_vectors(connection, generation.id, {row.embedded_hash for row in changed.values()})
        vectors = generation_rows.vectors(
            connection, generation.embedding, {row.embedded_hash for row in changed.values()}
        )
    if changed:
        written = [_index_row(row, stamps[row.document_id], vectors[row.embedded_hash]) for row in changed.values()]
        platform.vectors.upsert(generation.collection, [vector_row(row) for row in written])
    if gone:
        platform.vectors.delete(generation.collection, gone)
    with connection.begin():
        _require_being_written(connection, generation)
        generation_rows.replace(
            connection,
            generation.id,
            [each.document_id for each in sound],
            _places(sound),
            changed=changed,
            gone=gone,
        )
        was = generation_rows.counted([present[key] for key in (*gone, *(changed.keys() & present.keys()))])
        now = generation_rows.counted(changed.values())
        term_statistics.count(connection, generation.id, opened=now, closed=was, unpack=unpack)
        if cursor is not None:
            generations.update(connection, generation.id, cursor=cursor)


def _require_being_written(connection: Connection, generation: Generation) -> None:
    """Whoever lost its lock on a generation must not write it: it may be the live one by now."""
    present = generations.lock(connection, generation.id, shared=True)
    if present is None or present.state not in generations.BEING_WRITTEN:
        raise Unavailable(f"the index {generation.collection} went live or was dropped while it was written")


def _rows(
    generation: Generation,
    group: Sequence[Prepared],
    stamps: Mapping[str, VectorStamp],
    known: Mapping[bytes, bytes],
) -> list[BuiltRow]:
    """The rows to keep; the keyword weights of a text that has some already are not made again."""
    rows = []
    for each in group:
        for row in each.projection.rows:
            packed = known.get(row.embedded_hash)
            if packed is None:
                packed = pack(document_weights(terms(row.chunk.embedded_text, generation.analyzer)))
            rows.append(
                BuiltRow(
                    id=row.id,
                    document_id=each.document_id,
                    chunk=row.chunk,
                    embedded_hash=row.embedded_hash,
                    terms=packed,
                    policy_id=stamps[each.document_id].policy_id,
                    level=stamps[each.document_id].level,
                    valid_from=row.valid_from,
                    valid_to=row.valid_to,
                )
            )
    return rows


def _same(row: BuiltRow, present: generation_rows.PresentRow | None) -> bool:
    return present is not None and (row.embedded_hash, row.valid_from, row.valid_to) == (
        present.embedded_hash,
        present.valid_from,
        present.valid_to,
    )


def _index_row(row: BuiltRow, document: VectorStamp, vector: bytes) -> IndexRow:
    stamp = VectorStamp(
        document.document_key,
        document.space_key,
        document.policy_id,
        document.level,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )
    return IndexRow(row.id, stamp, vector, row.terms)


def _places(group: Sequence[Prepared]) -> list[BuiltPlace]:
    return [
        BuiltPlace(each.document_id, place.version, place.row_id, place.chunk)
        for each in group
        for place in each.projection.places
    ]
