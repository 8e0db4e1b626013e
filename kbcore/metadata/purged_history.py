"""Where the past is incomplete: spaces that have purged what stood at an epoch."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import ARRAY

from kbcore.metadata.access import PRINCIPALS_CTE, READABLE

# A version ends at its `valid_to`, which it does not include: what had ended by `purged_through` stood before that.
_PURGED_SINCE = sa.text(f"""
    WITH RECURSIVE {PRINCIPALS_CTE}
    SELECT s.name FROM spaces s
    WHERE s.purged_through > :epoch
        AND (:spaces IS NULL OR s.id = ANY(:spaces) OR s.name = ANY(:spaces))
        AND (
            s.policy_id IN (SELECT policy_id FROM readable_policies)
            OR EXISTS (SELECT FROM users WHERE id = :user_id AND active AND is_admin)
            OR EXISTS (SELECT FROM documents d WHERE d.space_id = s.id AND {READABLE})
        )
    ORDER BY s.name
""").bindparams(sa.bindparam("spaces", type_=ARRAY(sa.Text)))


def incomplete_spaces(connection: Connection, user_id: str, epoch: int, spaces: Sequence[str] | None) -> list[str]:
    """Names of the spaces, visible to this user, that no longer have everything that stood at an epoch.

    `spaces` are the ids or names that were asked for; None = all.
    """
    asked = {"user_id": user_id, "epoch": epoch, "spaces": None if spaces is None else list(spaces)}
    return list(connection.execute(_PURGED_SINCE, asked).scalars())
