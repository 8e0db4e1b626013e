"""Passages by their places: the words of characters `start:end` of a version, whichever index placed them there."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import ARRAY

Place = tuple[str, int, int, int]
"""Document, version, start, end."""

# A title changed by hand belongs to the version that readers see.
_AT = sa.text("""
    SELECT w.n, v.title, CASE WHEN v.number = d.version THEN d.title ELSE v.title END AS shown_title, p.heading, p.page,
        CASE WHEN d.erased_at IS NULL THEN substr(v.text, w.start + 1, w."end" - w.start) END AS text
    FROM unnest(CAST(:documents AS text[]), CAST(:versions AS int[]), CAST(:starts AS int[]), CAST(:ends AS int[]))
        WITH ORDINALITY AS w(document_id, version, start, "end", n)
    JOIN versions v ON v.document_id = w.document_id AND v.number = w.version
    JOIN documents d ON d.id = v.document_id
    LEFT JOIN LATERAL (
        SELECT c.heading, c.page FROM version_chunks c
        WHERE c.document_id = w.document_id AND c.version = w.version AND c.start = w.start AND c."end" = w."end"
        ORDER BY c.generation_id = :generation DESC, c.generation_id DESC, c.ordinal LIMIT 1
    ) p ON true
    ORDER BY w.n
""").bindparams(
    sa.bindparam("documents", type_=ARRAY(sa.Text)),
    sa.bindparam("versions", type_=ARRAY(sa.Integer)),
    sa.bindparam("starts", type_=ARRAY(sa.Integer)),
    sa.bindparam("ends", type_=ARRAY(sa.Integer)),
)


@dataclass(frozen=True, slots=True)
class PlacedText:
    """A place and what stands there. `text` is None once the version was purged or erased, `heading` if no index that
    is kept has a passage at exactly this place. `title` is the version's own; `shown_title` what readers see now."""

    title: str
    shown_title: str
    heading: tuple[str, ...] | None
    page: int | None
    text: str | None


def texts_at(connection: Connection, places: Sequence[Place], generation_id: int | None) -> list[PlacedText | None]:
    """What stands at each place, headings as this index generation has them if it is kept; None = no such version.

    For whoever has asked for the rights to read these documents already.
    """
    rows = connection.execute(
        _AT,
        {
            "documents": [place[0] for place in places],
            "versions": [place[1] for place in places],
            "starts": [place[2] for place in places],
            "ends": [place[3] for place in places],
            "generation": generation_id,
        },
    )
    found = {
        row.n: PlacedText(
            row.title, row.shown_title, None if row.heading is None else tuple(row.heading), row.page, row.text
        )
        for row in rows
    }
    return [found.get(number) for number in range(1, len(places) + 1)]
