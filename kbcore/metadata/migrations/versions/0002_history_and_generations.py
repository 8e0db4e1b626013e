"""Versions with effective dates and origins, retention and erasure, snapshots, generations side by side, evaluations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables and columns, and fill the new columns from what the old ones say."""
    op.create_table(
        "erasures",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("space_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("found", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("certificate", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_index(op.f("ix_erasures_document_id"), "erasures", ["document_id"], unique=False)
    op.create_table(
        "golden_sets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("questions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_golden_sets")),
        sa.UniqueConstraint("name", name=op.f("uq_golden_sets_name")),
    )
    op.create_table(
        "evaluations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("golden_set_id", sa.Text(), nullable=False),
        sa.Column("generation_id", sa.Integer(), nullable=False),
        sa.Column("baseline_id", sa.Integer(), nullable=True),
        sa.Column("gate", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["golden_set_id"], ["golden_sets.id"], name=op.f("fk_evaluations_golden_set_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluations")),
    )
    op.create_index("ix_evaluations_generation_id", "evaluations", ["generation_id"], unique=False)
    op.create_table(
        "snapshots",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("space_id", sa.Text(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["space_id"], ["spaces.id"], name=op.f("fk_snapshots_space_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshots")),
        sa.UniqueConstraint("name", name=op.f("uq_snapshots_name")),
    )
    op.create_table(
        "turn_sources",
        sa.Column("turn_id", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name=op.f("fk_turn_sources_turn_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("turn_id", "document_id", "version", name=op.f("pk_turn_sources")),
    )
    op.create_index("ix_turn_sources_document_id", "turn_sources", ["document_id"], unique=False)
    op.add_column("documents", sa.Column("source", sa.Text(), nullable=True))
    op.add_column("documents", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "generations",
        sa.Column("space_chunking", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
    )
    op.add_column("generations", sa.Column("analyzer", sa.Text(), server_default="mixed-1", nullable=False))
    op.add_column("generations", sa.Column("built_through", sa.BigInteger(), nullable=True))
    op.add_column("generations", sa.Column("cursor", sa.BigInteger(), nullable=True))
    op.add_column("generations", sa.Column("gate", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("generations", sa.Column("evaluation_id", sa.Text(), nullable=True))
    op.add_column("generations", sa.Column("job_id", sa.Text(), nullable=True))
    op.add_column("generations", sa.Column("created_by", sa.Text(), server_default="system", nullable=False))
    op.add_column("generations", sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("generations", sa.Column("live_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("generations", sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "embeddings",
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.add_column("jobs", sa.Column("subject", sa.Text(), nullable=True))
    op.create_index("ix_jobs_kind_state", "jobs", ["kind", "state"], unique=False)
    op.add_column("spaces", sa.Column("retention_days", sa.Integer(), nullable=True))
    op.add_column("spaces", sa.Column("retention_versions", sa.Integer(), nullable=True))
    op.add_column("versions", sa.Column("parsed_text", sa.Text(), nullable=True))
    op.add_column("versions", sa.Column("origin", sa.Text(), server_default="upload", nullable=False))
    op.add_column("versions", sa.Column("source_uri", sa.Text(), nullable=True))
    op.add_column("versions", sa.Column("based_on", sa.Integer(), nullable=True))
    op.add_column("versions", sa.Column("replaces", sa.Text(), server_default="covered", nullable=False))
    op.add_column("versions", sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False))
    op.add_column(
        "versions", sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False)
    )
    op.add_column("versions", sa.Column("effective_from", sa.DateTime(timezone=True), nullable=True))
    op.add_column("versions", sa.Column("effective_to", sa.DateTime(timezone=True), nullable=True))
    op.add_column("versions", sa.Column("staged_in", sa.Integer(), nullable=True))
    op.add_column("versions", sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True))
    _create_indexes()
    op.execute("""
        UPDATE versions v SET tags = d.tags, metadata = d.metadata, effective_from = d.effective_from,
            effective_to = d.effective_to
        FROM documents d WHERE d.id = v.document_id
    """)
    op.execute("""
        UPDATE versions SET staged_in = (SELECT id FROM generations WHERE state = 'live') WHERE state = 'staged'
    """)
    op.execute("UPDATE generations SET live_at = created_at, ready_at = created_at")
    op.execute("""
        INSERT INTO turn_sources (turn_id, document_id, version)
        SELECT DISTINCT t.id, c->>'document_id', CAST(c->>'version' AS int)
        FROM turns t, jsonb_array_elements(t.citations->'cited') c
        UNION
        SELECT t.id, n, 0 FROM turns t, jsonb_array_elements_text(t.citations->'named') n
    """)


def _create_indexes() -> None:
    """Those of tables that were there before."""
    op.create_index(
        "ix_versions_effective",
        "versions",
        ["effective_from"],
        unique=False,
        postgresql_where=sa.text("valid_to = 4611686018427387904"),
    )
    op.create_index(
        "ix_versions_purged_at",
        "versions",
        ["purged_at"],
        unique=False,
        postgresql_where=sa.text("purged_at IS NOT NULL"),
    )
    op.create_index(
        "ix_versions_ended",
        "versions",
        ["document_id", "number"],
        unique=False,
        postgresql_where=sa.text("sha256 <> '' AND valid_to IS DISTINCT FROM 4611686018427387904"),
    )
    op.create_index("ix_embeddings_text_hash", "embeddings", ["text_hash", "stored_at"], unique=False)
    op.create_index("ix_publications_committed_at", "publications", ["committed_at"], unique=False)
    op.create_index("ix_chunks_embedded_hash", "chunks", ["embedded_hash"], unique=False)
    op.create_index(
        "ix_versions_effective_to",
        "versions",
        ["effective_to"],
        unique=False,
        postgresql_where=sa.text("valid_to = 4611686018427387904"),
    )
    op.create_index(
        "uq_generations_building",
        "generations",
        ["state"],
        unique=True,
        postgresql_where=sa.text("state = 'building'"),
    )
    op.create_index("ix_versions_sha256", "versions", ["sha256"], unique=False)
