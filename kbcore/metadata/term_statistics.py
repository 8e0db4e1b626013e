"""Statistics of the keyword leg: in how many open rows a term occurs, by the policy and level that the rows carry.

A search sums what its asker may read, so a word in a hidden document moves nobody's scores (ADR 0024). A row is counted
under the stamp that SQL keeps of it (`chunks.policy_id`, `chunks.level`); whoever opens, closes, removes or moves rows
counts in the same transaction, and holds the publish lock.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.document import FOREVER
from kbcore.metadata.tables import generations

Unpack = Callable[[bytes], Mapping[int, float]]
"""Reads packed keyword weights (`kbcore.language.weights.unpack`)."""

_ADD_TERMS = sa.text("""
    INSERT INTO term_counts AS t (generation_id, term, policy_id, level, rows)
    SELECT :generation, * FROM unnest(CAST(:terms AS bigint[]), CAST(:policies AS bigint[]),
        CAST(:levels AS smallint[]), CAST(:counts AS bigint[])) AS n(term, policy_id, level, rows)
    ORDER BY term, policy_id, level
    ON CONFLICT (generation_id, term, policy_id, level) DO UPDATE SET rows = t.rows + excluded.rows
""")
# What has come to nothing goes: else a word that was erased would still be named, and every policy ever used counted.
_DROP_TERMS = sa.text("""
    DELETE FROM term_counts t USING unnest(CAST(:terms AS bigint[]), CAST(:policies AS bigint[]),
        CAST(:levels AS smallint[])) AS n(term, policy_id, level)
    WHERE t.generation_id = :generation AND t.term = n.term AND t.policy_id = n.policy_id AND t.level = n.level
        AND t.rows <= 0
""")
_ADD_ROWS = sa.text("""
    INSERT INTO row_counts AS r (generation_id, policy_id, level, rows)
    SELECT :generation, * FROM unnest(CAST(:policies AS bigint[]), CAST(:levels AS smallint[]),
        CAST(:counts AS bigint[])) AS n(policy_id, level, rows)
    ON CONFLICT (generation_id, policy_id, level) DO UPDATE SET rows = r.rows + excluded.rows
""")
_DROP_ROWS = sa.text("DELETE FROM row_counts WHERE generation_id = :generation AND rows <= 0")
# Joined with itself for the stamps as they were.
_MOVE = sa.text("""
    UPDATE chunks c SET policy_id = COALESCE(d.own_policy_id, s.policy_id), level = d.classification
    FROM chunks o JOIN documents d ON d.id = o.document_id JOIN spaces s ON s.id = d.space_id
    WHERE c.generation_id = o.generation_id AND c.id = o.id AND o.valid_from IS NOT NULL
        AND (CAST(:document AS text) IS NULL OR o.document_id = :document)
        AND (CAST(:generation AS int) IS NULL OR o.generation_id = :generation)
        AND (o.policy_id, o.level) IS DISTINCT FROM (COALESCE(d.own_policy_id, s.policy_id), d.classification)
    RETURNING c.generation_id, o.policy_id AS old_policy_id, o.level AS old_level, c.policy_id, c.level, c.terms,
        c.valid_to
""")


@dataclass(frozen=True, slots=True)
class CountedRow:
    """An open row as it is counted: its stamp, and its packed keyword weights."""

    policy_id: int
    level: int
    terms: bytes


def count(
    connection: Connection,
    generation_id: int,
    *,
    opened: Iterable[CountedRow] = (),
    closed: Iterable[CountedRow] = (),
    unpack: Unpack,
) -> None:
    """Add open rows to a generation's statistics and take others out of them."""
    terms: Counter[tuple[int, int, int]] = Counter()
    rows: Counter[tuple[int, int]] = Counter()
    for sign, changed in ((1, opened), (-1, closed)):
        for row in changed:
            rows[row.policy_id, row.level] += sign
            for term in unpack(row.terms):
                terms[term, row.policy_id, row.level] += sign
    _add_terms(connection, generation_id, {key: number for key, number in terms.items() if number})
    _add_rows(connection, generation_id, {key: number for key, number in rows.items() if number})


def move(
    connection: Connection, unpack: Unpack, *, document_id: str | None = None, generation_id: int | None = None
) -> int:
    """Stamp rows with the present policy and level of their documents, history included, and count them there.

    Of one document in every generation, or of one generation. Doing it again changes nothing. Returns how many moved.
    """
    moved = connection.execute(_MOVE, {"document": document_id, "generation": generation_id}).all()
    for each in sorted({row.generation_id for row in moved}):
        rows = [row for row in moved if row.generation_id == each and row.valid_to == FOREVER]
        count(
            connection,
            each,
            opened=[CountedRow(row.policy_id, row.level, row.terms) for row in rows],
            closed=[CountedRow(row.old_policy_id, row.old_level, row.terms) for row in rows],
            unpack=unpack,
        )
    return len(moved)


def _add_terms(connection: Connection, generation_id: int, delta: Mapping[tuple[int, int, int], int]) -> None:
    if not delta:
        return
    terms, policies, levels = (list(part) for part in zip(*delta, strict=True))
    values = {"generation": generation_id, "terms": terms, "policies": policies, "levels": levels}
    connection.execute(_ADD_TERMS, {**values, "counts": list(delta.values())})
    fewer = [key for key, number in delta.items() if number < 0]
    if fewer:
        terms, policies, levels = (list(part) for part in zip(*fewer, strict=True))
        values = {"generation": generation_id, "terms": terms, "policies": policies, "levels": levels}
        connection.execute(_DROP_TERMS, values)


def _add_rows(connection: Connection, generation_id: int, delta: Mapping[tuple[int, int], int]) -> None:
    if not delta:
        return
    policies, levels = (list(part) for part in zip(*delta, strict=True))
    values = {"generation": generation_id, "policies": policies, "levels": levels}
    connection.execute(_ADD_ROWS, {**values, "counts": list(delta.values())})
    connection.execute(_DROP_ROWS, {"generation": generation_id})
    total = generations.c.rows + sum(delta.values())
    connection.execute(generations.update().where(generations.c.id == generation_id).values(rows=total))
