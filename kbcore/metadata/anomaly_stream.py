"""The audit stream as the anomaly rules read it: in order, from where they stopped, with what their windows need."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection, Row
from sqlalchemy.dialects.postgresql import ARRAY, insert

from kbcore.audit.anomalies import READING, REFUSED, Observed, Rule
from kbcore.domain.document import Classification
from kbcore.metadata.tables import audit_cursors, audit_events, documents
from kbcore.metadata.users import hold_last_admin

_CURSOR = "anomalies"
_PREFIX = "anomaly."

# Of those whom the new records are about only.
_BEFORE = sa.text("""
    SELECT * FROM audit_events
    WHERE at > :begin AND seq <= :through AND kind = ANY(:kinds)
        AND (actor = ANY(:actors) OR (actor IS NULL AND (address = ANY(:addresses) OR detail->>'user' = ANY(:actors))))
    ORDER BY seq
""").bindparams(
    sa.bindparam("kinds", type_=ARRAY(sa.Text)),
    sa.bindparam("actors", type_=ARRAY(sa.Text)),
    sa.bindparam("addresses", type_=ARRAY(sa.Text)),
    sa.bindparam("begin", type_=sa.DateTime(timezone=True)),
)
_REPORTED = sa.text("""
    SELECT kind, COALESCE(actor, detail->>'address') AS subject, max(CAST(detail->>'at' AS timestamptz)) AS at
    FROM audit_events WHERE at > :begin AND kind = ANY(:kinds) GROUP BY 1, 2
""").bindparams(sa.bindparam("kinds", type_=ARRAY(sa.Text)), sa.bindparam("begin", type_=sa.DateTime(timezone=True)))
_LEARN = sa.text("""
    WITH others AS (SELECT EXISTS (SELECT FROM known_places WHERE user_id = :user AND kind = :kind) AS known)
    INSERT INTO known_places (user_id, kind, value) SELECT u.id, :kind, :value FROM users u WHERE u.id = :user
    ON CONFLICT DO NOTHING
    RETURNING (SELECT known FROM others) AS knew_others,
        (SELECT created_at FROM users WHERE id = :user) AS user_since
""")
# Somebody must stay able to lift it.
_THROTTLE = sa.text("""
    UPDATE users u SET throttled_until = GREATEST(u.throttled_until, :until)
    WHERE u.id = :user AND u.active AND (NOT u.is_admin OR EXISTS (
        SELECT FROM users o WHERE o.id <> u.id AND o.is_admin AND o.active
            AND (o.throttled_until IS NULL OR o.throttled_until < :now)))
""").bindparams(
    sa.bindparam("until", type_=sa.DateTime(timezone=True)), sa.bindparam("now", type_=sa.DateTime(timezone=True))
)
_FOUND = sa.text("SELECT kind, count(*) AS found FROM audit_events WHERE kind = ANY(:kinds) GROUP BY kind").bindparams(
    sa.bindparam("kinds", type_=ARRAY(sa.Text))
)


def kind_of(rule: Rule) -> str:
    """The audit kind of a rule's findings."""
    return f"{_PREFIX}{rule.value}"


def take(connection: Connection, limit: int) -> list[Observed]:
    """The next records, at most `limit`; they count as read when the transaction commits. One reader at a time."""
    connection.execute(insert(audit_cursors).values(name=_CURSOR, seq=0).on_conflict_do_nothing())
    mine = audit_cursors.c.name == _CURSOR
    seq = connection.execute(sa.select(audit_cursors.c.seq).where(mine).with_for_update()).scalar_one()
    query = sa.select(audit_events).where(audit_events.c.seq > seq).order_by(audit_events.c.seq).limit(limit)
    records = [_observed(row) for row in connection.execute(query)]
    if records:
        moved = sa.update(audit_cursors).where(mine).values(seq=records[-1].seq, updated_at=sa.func.now())
        connection.execute(moved)
    return records


def before(connection: Connection, records: Sequence[Observed], window: timedelta) -> list[Observed]:
    """What the windows of these new records reach back to, in order, without them."""
    actors = {each.actor for each in records if each.actor is not None}
    actors |= {tried for each in records if isinstance(tried := each.detail.get("user"), str)}
    addresses = {each.address for each in records if each.actor is None and each.address is not None}
    values = {
        "begin": records[0].at - window,
        "through": records[0].seq - 1,
        "kinds": sorted(READING | REFUSED),
        "actors": sorted(actors),
        "addresses": sorted(addresses),
    }
    return [_observed(row) for row in connection.execute(_BEFORE, values)]


def reported_since(connection: Connection, begin: datetime) -> dict[tuple[Rule, str], datetime]:
    """When each rule last found something about each subject, as far as that was recorded after `begin`."""
    rows = connection.execute(_REPORTED, {"begin": begin, "kinds": [kind_of(rule) for rule in Rule]})
    return {(Rule(row.kind.removeprefix(_PREFIX)), row.subject): row.at for row in rows if row.subject is not None}


def restricted_among(connection: Connection, document_ids: Collection[str]) -> frozenset[str]:
    """Those of these documents that are restricted now."""
    query = sa.select(documents.c.id).where(
        documents.c.id.in_(document_ids), documents.c.classification == int(Classification.RESTRICTED)
    )
    return frozenset(connection.execute(query).scalars()) if document_ids else frozenset()


def learn(connection: Connection, user_id: str, kind: str, value: str) -> tuple[datetime, bool] | None:
    """Remember a place of a user. None if it was known, or the user is not; else since when the user is there, and
    whether other places of this kind were known."""
    row = connection.execute(_LEARN, {"user": user_id, "kind": kind, "value": value}).one_or_none()
    return None if row is None else (row.user_since, row.knew_others)


def throttle(connection: Connection, user_id: str, *, until: datetime, now: datetime) -> bool:
    """Put off a user's requests until then; False if it is the last administrator who could lift it, or not there."""
    hold_last_admin(connection)
    return connection.execute(_THROTTLE, {"user": user_id, "until": until, "now": now}).rowcount == 1


def findings_by_rule(connection: Connection) -> dict[str, int]:
    """How many findings each rule has recorded; rules without any are 0."""
    rows = connection.execute(_FOUND, {"kinds": [kind_of(rule) for rule in Rule]})
    counted = {row.kind.removeprefix(_PREFIX): row.found for row in rows}
    return {rule.value: counted.get(rule.value, 0) for rule in Rule}


def _observed(row: Row[tuple[object, ...]]) -> Observed:
    return Observed(
        seq=row.seq,
        at=row.at,
        kind=row.kind,
        actor=row.actor,
        acting=row.acting,
        key_id=row.key_id,
        address=row.address,
        documents=tuple(row.documents),
        detail=row.detail,
    )
