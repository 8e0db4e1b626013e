"""Project: which rows a document has in an index, and where they stand, from its published versions. Pure.

What publications made one after the other in the live index, a new generation gets at once: a passage that several
versions have without a gap between them is one row, valid from the first to the last of them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ingestion.embed import embedded_hash
from kbcore.domain.chunk import Chunk
from kbcore.domain.ids import chunk_id


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A version, the epochs between which it was published (half open), and its chunks in reading order."""

    number: int
    valid_from: int
    valid_to: int
    chunks: Sequence[Chunk]


@dataclass(frozen=True, slots=True)
class ProjectedRow:
    """A row of the index, valid in the epochs `valid_from` ≤ e < `valid_to`."""

    id: str
    chunk: Chunk
    embedded_hash: bytes
    valid_from: int
    valid_to: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands in a version: as its `chunk` says."""

    version: int
    row_id: str
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Projection:
    """A document's rows, and their places in reading order of each version."""

    rows: Sequence[ProjectedRow]
    places: Sequence[Place]


@dataclass(slots=True)
class _Run:
    """A passage over versions whose epochs touch or overlap."""

    row: ProjectedRow
    valid_to: int


def project(document_id: str, versions: Sequence[PublishedVersion]) -> Projection:
    """The rows and places of a document's published versions.

    Equal passages within one version (the same embedded text twice) are rows of their own, matched in order.
    """
    runs: dict[tuple[bytes, int], list[_Run]] = {}
    places: list[Place] = []
    for version in sorted(versions, key=lambda each: (each.valid_from, each.number)):
        seen: Counter[bytes] = Counter()
        for chunk in version.chunks:
            digest = embedded_hash(chunk)
            earlier = runs.setdefault((digest, seen[digest]), [])
            seen[digest] += 1
            if earlier and version.valid_from <= earlier[-1].valid_to:
                earlier[-1].valid_to = max(earlier[-1].valid_to, version.valid_to)
            else:
                name = chunk_id(document_id, version.number, chunk.ordinal)
                row = ProjectedRow(name, chunk, digest, version.valid_from, version.valid_to)
                earlier.append(_Run(row, version.valid_to))
            places.append(Place(version.number, earlier[-1].row.id, chunk))
    rows = [
        ProjectedRow(run.row.id, run.row.chunk, run.row.embedded_hash, run.row.valid_from, run.valid_to)
        for each in runs.values()
        for run in each
    ]
    return Projection(rows, places)
