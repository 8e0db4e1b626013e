"""Identities, scoped keys, grants with dates, policies that add to a space's, the audit chain, traces, scoped statistics."""

from collections import Counter

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from kbcore.domain.document import FOREVER
from kbcore.language.weights import unpack

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_BATCH = 5000

# Every change of a row's kept columns, in the transaction that makes it, whoever makes it.
_NOTE = """
    CREATE FUNCTION note_access_change() RETURNS trigger LANGUAGE plpgsql AS $body$
    DECLARE
        identifying text[] := string_to_array(TG_ARGV[0], ',');
        kept text[] := string_to_array(TG_ARGV[1], ',');
        was jsonb;
        becomes jsonb;
        named jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            SELECT jsonb_object_agg(k, to_jsonb(OLD) -> k) INTO was FROM unnest(kept) k;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            SELECT jsonb_object_agg(k, to_jsonb(NEW) -> k) INTO becomes FROM unnest(kept) k;
        END IF;
        IF was IS DISTINCT FROM becomes THEN
            INSERT INTO access_changes (relation, key, row)
            SELECT TG_TABLE_NAME, string_agg(named ->> k, E'\\n' ORDER BY place), becomes
            FROM unnest(identifying) WITH ORDINALITY AS u(k, place);
        END IF;
        RETURN NULL;
    END $body$
"""
# Defence in depth: whoever may change tables can drop these triggers, and then the chain shows it.
_REFUSE = """
    CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
        RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
    END $body$
"""
_APPEND_ONLY = (
    "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()",
    "CREATE TRIGGER keep BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()",
    "CREATE TRIGGER keep BEFORE TRUNCATE ON audit_head FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()",
    "CREATE TRIGGER stay BEFORE DELETE ON audit_head FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()",
    "CREATE TRIGGER forward BEFORE UPDATE ON audit_head FOR EACH ROW WHEN (NEW.seq <= OLD.seq OR NEW.at < OLD.at) "
    "EXECUTE FUNCTION refuse_audit_change()",
)
_WATCHED = {
    "users": ("id", "clearance,is_admin,is_auditor,active"),
    "group_members": ("group_id,member", "group_id,member"),
    "policy_entries": ("policy_id,principal", "policy_id,principal,role,effective_from,effective_to"),
    "spaces": ("id", "policy_id"),
    "documents": ("id", "space_id,own_policy_id,classification,deleted_at"),
}
"""By table: what identifies a row, and what of it decides about access."""


def upgrade() -> None:
    """Add tables, columns and triggers; count terms anew, by who may read the rows that they stand in."""
    _create_tables()
    _add_columns()
    for statement in (_REFUSE, *_APPEND_ONLY):
        op.execute(statement)
    op.execute(_NOTE)
    op.execute("INSERT INTO access_changes (relation, key, row) VALUES ('history', '', '{}')")
    for table, (identifying, kept) in _WATCHED.items():
        columns = ", ".join(f"'{name}', {name}" for name in kept.split(","))
        key = " || E'\\n' || ".join(f"CAST({name} AS text)" for name in identifying.split(","))
        op.execute(
            f"INSERT INTO access_changes (relation, key, row) SELECT '{table}', {key}, jsonb_build_object({columns}) FROM {table}"
        )
        op.execute(
            f"CREATE TRIGGER note_access_change AFTER INSERT OR DELETE OR UPDATE OF {kept} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION note_access_change('{identifying}', '{kept}')"
        )
    _count_terms()


def _create_tables() -> None:
    op.create_table(
        "access_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", _TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("row", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_changes")),
    )
    op.create_index("ix_access_changes_relation_key", "access_changes", ["relation", "key", "at"])
    op.create_table(
        "identities",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("issued_at", _TIME, nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identities_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_identities")),
    )
    op.create_index("ix_identities_user_id", "identities", ["user_id"])
    op.create_table(
        "audit_events",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("acting", sa.Text(), nullable=True),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("trace_id", sa.Text(), nullable=True),
        sa.Column("documents", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("mac_key", sa.Text(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_events")),
    )
    op.create_index("ix_audit_events_at", "audit_events", ["at"])
    op.create_index("ix_audit_events_kind", "audit_events", ["kind", "seq"])
    op.create_index("ix_audit_events_actor", "audit_events", ["actor", "seq"])
    op.create_index("ix_audit_events_trace_id", "audit_events", ["trace_id"])
    op.create_index("ix_audit_events_documents", "audit_events", ["documents"], postgresql_using="gin")
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.Column("at", _TIME, server_default="epoch", nullable=False),
        sa.CheckConstraint("id", name=op.f("ck_audit_head_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.execute("INSERT INTO audit_head (seq, mac) VALUES (0, '')")
    op.create_table(
        "audit_cursors",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_cursors")),
    )
    op.create_table(
        "known_places",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_known_places_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "kind", "value", name=op.f("pk_known_places")),
    )
    op.create_table(
        "traces",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("acting", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("generation_id", sa.Integer(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("prompt_hash", sa.Text(), nullable=True),
        sa.Column("path", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_traces_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_traces")),
    )
    op.create_index("ix_traces_trace_id", "traces", ["trace_id"])
    op.create_index("ix_traces_user_id", "traces", ["user_id"])
    op.create_table(
        "row_counts",
        sa.Column("generation_id", sa.Integer(), nullable=False),
        sa.Column("policy_id", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["generation_id"], ["generations.id"], name=op.f("fk_row_counts_generation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("generation_id", "policy_id", "level", name=op.f("pk_row_counts")),
    )


def _add_columns() -> None:
    op.add_column("users", sa.Column("is_auditor", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("users", sa.Column("kind", sa.Text(), server_default="person", nullable=False))
    op.add_column("users", sa.Column("external_id", sa.Text(), nullable=True))
    op.create_unique_constraint(op.f("uq_users_external_id"), "users", ["external_id"])
    op.add_column("users", sa.Column("password_hash", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("throttled_until", _TIME, nullable=True))
    op.add_column("groups", sa.Column("external_id", sa.Text(), nullable=True))
    op.create_unique_constraint(op.f("uq_groups_external_id"), "groups", ["external_id"])
    op.add_column("group_members", sa.Column("source", sa.Text(), server_default="manual", nullable=False))
    op.add_column("api_keys", sa.Column("kind", sa.Text(), server_default="key", nullable=False))
    op.add_column("api_keys", sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=True))
    op.add_column("api_keys", sa.Column("acts_for", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("policies", sa.Column("parent_id", sa.BigInteger(), nullable=True))
    op.create_index("ix_policies_parent_id", "policies", ["parent_id"])
    op.create_foreign_key(
        op.f("fk_policies_parent_id"), "policies", "policies", ["parent_id"], ["id"], ondelete="CASCADE"
    )
    op.add_column("policy_entries", sa.Column("effective_from", _TIME, nullable=True))
    op.add_column("policy_entries", sa.Column("effective_to", _TIME, nullable=True))
    op.add_column("chunks", sa.Column("policy_id", sa.BigInteger(), nullable=True))
    op.add_column("chunks", sa.Column("level", sa.SmallInteger(), nullable=True))
    op.create_index("ix_chunks_policy_id", "chunks", ["generation_id", "policy_id", "valid_to"])


def _count_terms() -> None:
    """What index rows are stamped with, as far as SQL knows: a stamp still on its way is moved by its job."""
    op.execute("""
        UPDATE chunks c SET policy_id = COALESCE(d.own_policy_id, s.policy_id), level = d.classification
        FROM documents d JOIN spaces s ON s.id = d.space_id
        WHERE d.id = c.document_id AND c.valid_from IS NOT NULL
    """)
    op.drop_table("term_counts")
    op.create_table(
        "term_counts",
        sa.Column("generation_id", sa.Integer(), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("policy_id", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["generation_id"], ["generations.id"], name=op.f("fk_term_counts_generation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("generation_id", "term", "policy_id", "level", name=op.f("pk_term_counts")),
    )
    counts: Counter[tuple[int, int, int, int]] = Counter()
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(f"SELECT generation_id, policy_id, level, terms FROM chunks WHERE valid_to = {FOREVER}"),
        execution_options={"yield_per": _BATCH},
    )
    for row in rows:
        counts.update((row.generation_id, term, row.policy_id, row.level) for term in unpack(row.terms))
    names = ("generation_id", "term", "policy_id", "level", "rows")
    filled = [dict(zip(names, (*key, number), strict=True)) for key, number in counts.items()]
    table = sa.table("term_counts", *(sa.column(name) for name in names))
    for at in range(0, len(filled), _BATCH):
        connection.execute(sa.insert(table), filled[at : at + _BATCH])
    op.execute(f"""
        INSERT INTO row_counts (generation_id, policy_id, level, rows)
        SELECT generation_id, policy_id, level, count(*) FROM chunks WHERE valid_to = {FOREVER}
        GROUP BY generation_id, policy_id, level
    """)
