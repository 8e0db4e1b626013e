"""Where the past is incomplete: spaces that have purged what this user would have read at an epoch."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import ARRAY

from kbcore.metadata.access import PRINCIPALS_CTE, READABLE

# Only of documents that the asker may read now: when something hidden was purged is nobody's to know. A purge empties
# the text before anything else goes, and sets `purged_at` when nothing is left.
_PURGED = sa.text(f"""
    WITH RECURSIVE {PRINCIPALS_CTE}
    SELECT s.name FROM spaces s
    WHERE (:spaces IS NULL OR s.id = ANY(:spaces) OR s.name = ANY(:spaces))
        AND EXISTS (
            SELECT FROM documents d JOIN versions v ON v.document_id = d.id
            WHERE d.space_id = s.id AND (v.purged_at IS NOT NULL OR v.text IS NULL)
                AND v.valid_from <= :epoch AND (v.valid_to > :epoch OR :history)
                AND {READABLE}
        )
    ORDER BY s.name
""").bindparams(sa.bindparam("spaces", type_=ARRAY(sa.Text)))


def incomplete_spaces(
    connection: Connection, user_id: str, epoch: int, spaces: Sequence[str] | None, *, history: bool = False
) -> list[str]:
    """Names of the spaces that have purged what stood at an epoch in documents that this user may read now.

    With `history` also what had been published before it and was replaced. `spaces` are the ids or names that were
    asked for; None = all.
    """
    asked = {"user_id": user_id, "epoch": epoch, "history": history, "spaces": None if spaces is None else list(spaces)}
    return list(connection.execute(_PURGED, asked).scalars())
