"""The keyword leg's statistics against a recount of the open rows."""

from collections import Counter

import sqlalchemy as sa

from kbcore.domain.document import FOREVER
from kbcore.language.weights import unpack
from kbcore.metadata.database import Database


def assert_statistics_are_exact(database: Database) -> None:
    """Every generation's counts are those of its open rows by the stamps that SQL keeps; nothing counts as nothing."""
    with database.snapshot() as connection:
        terms = {tuple(row) for row in connection.execute(sa.text("SELECT * FROM term_counts"))}
        rows = {tuple(row) for row in connection.execute(sa.text("SELECT * FROM row_counts"))}
        totals = {tuple(row) for row in connection.execute(sa.text("SELECT id, rows FROM generations WHERE rows <> 0"))}
        open_rows = connection.execute(
            sa.text("SELECT generation_id, policy_id, level, terms FROM chunks WHERE valid_to = :forever"),
            {"forever": FOREVER},
        ).all()
    term_count = Counter((r.generation_id, term, r.policy_id, r.level) for r in open_rows for term in unpack(r.terms))
    row_count = Counter((r.generation_id, r.policy_id, r.level) for r in open_rows)
    assert terms == {(*key, number) for key, number in term_count.items()}
    assert rows == {(*key, number) for key, number in row_count.items()}
    assert totals == set(Counter(r.generation_id for r in open_rows).items())


def assert_stamps_are_present(database: Database) -> None:
    """Every row's stamp is its document's policy and level now."""
    with database.snapshot() as connection:
        stale = connection.execute(
            sa.text("""
                SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id JOIN spaces s ON s.id = d.space_id
                WHERE c.valid_from IS NOT NULL AND (c.policy_id, c.level)
                    IS DISTINCT FROM (COALESCE(d.own_policy_id, s.policy_id), d.classification)
            """)
        ).all()
    assert stale == []
