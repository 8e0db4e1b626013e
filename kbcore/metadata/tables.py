"""The SQL schema: the truth of everything. Migrations in `migrations/` make it; a test holds the two together.

Times are `timestamptz`; ids that people see are UUIDv7 text; `key` columns are the integers that vectors carry.
`valid_from`/`valid_to` are epochs, half open; `valid_to` is `FOREVER` while live.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kbcore.domain.document import FOREVER

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

_time = sa.DateTime(timezone=True)


def _created() -> sa.Column[object]:
    return sa.Column("created_at", _time, nullable=False, server_default=sa.func.now())


def _updated() -> sa.Column[object]:
    return sa.Column("updated_at", _time, nullable=False, server_default=sa.func.now())


# People

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("email", sa.Text),
    sa.Column("clearance", sa.SmallInteger, nullable=False),
    sa.Column("is_admin", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("is_auditor", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("kind", sa.Text, nullable=False, server_default="person"),  # kbcore.domain.principal.UserKind
    sa.Column("external_id", sa.Text, unique=True),  # the id that a directory (SCIM, OIDC) knows it by
    sa.Column("password_hash", sa.Text),  # Argon2id in PHC form; NULL = no password login
    sa.Column("throttled_until", _time),  # set by an anomaly rule
    sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
    _created(),
)

groups = sa.Table(
    "groups",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("external_id", sa.Text, unique=True),  # the id that a directory knows it by; NULL = managed here
    _created(),
)

# `member` is a principal: `user:<id>` or `group:<id>` (groups nest).
group_members = sa.Table(
    "group_members",
    metadata,
    sa.Column("group_id", sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("member", sa.Text, primary_key=True, index=True),
    # kbcore.domain.principal.MemberSource: whoever put it there is who takes it out again.
    sa.Column("source", sa.Text, nullable=False, server_default="manual"),
)

# Who an identity provider says that somebody is. A token older than `issued_at` changes no memberships.
identities = sa.Table(
    "identities",
    metadata,
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("issued_at", _time, nullable=False),
    _created(),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("secret_hash", sa.LargeBinary, nullable=False),  # SHA-256 of 256 random bits: no salt needed
    sa.Column("kind", sa.Text, nullable=False, server_default="key"),  # kbcore.domain.principal.KeyKind
    sa.Column("scopes", ARRAY(sa.Text)),  # kbcore.domain.principal.Scope; NULL = all that its user may do
    sa.Column("acts_for", sa.Boolean, nullable=False, server_default=sa.false()),  # for people, with their rights
    _created(),
    sa.Column("expires_at", _time),
    sa.Column("revoked_at", _time),
    sa.Column("last_used_at", _time),
)

# Policies: a space owns one row whose entries change in place; documents' own policies are interned by `digest`.

policies = sa.Table(
    "policies",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("digest", sa.Text, unique=True),  # NULL = owned by a space, mutable; else immutable and shared
    # The space's policy whose entries count too; NULL = this one counts alone.
    sa.Column("parent_id", sa.ForeignKey("policies.id", ondelete="CASCADE"), index=True),
    _created(),
)

policy_entries = sa.Table(
    "policy_entries",
    metadata,
    sa.Column("policy_id", sa.ForeignKey("policies.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("principal", sa.Text, primary_key=True),
    sa.Column("role", sa.Text),  # NULL = denied
    sa.Column("effective_from", _time),  # half open; NULL = unbounded
    sa.Column("effective_to", _time),
    sa.Index("ix_policy_entries_principal", "principal"),
)

# What decided about access, at any time: triggers of the tables named in `relation` write every change here.

access_changes = sa.Table(
    "access_changes",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("at", _time, nullable=False, server_default=sa.func.clock_timestamp()),
    sa.Column("relation", sa.Text, nullable=False),  # kbcore.metadata.access_history.Relation
    sa.Column("key", sa.Text, nullable=False),  # what identifies the row, its parts joined by a line feed
    sa.Column("row", JSONB),  # what it said from `at`; NULL = gone
    sa.Index("ix_access_changes_relation_key", "relation", "key", "at"),
)

# Documents

spaces = sa.Table(
    "spaces",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("key", sa.BigInteger, sa.Identity(), nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("policy_id", sa.ForeignKey("policies.id"), nullable=False),
    sa.Column("retention_days", sa.Integer),  # replaced and deleted versions are kept so long; NULL = for ever
    sa.Column("retention_versions", sa.Integer),  # of each document, the newest so many are kept; NULL = all
    _created(),
)

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("key", sa.BigInteger, sa.Identity(), nullable=False, unique=True),
    sa.Column("space_id", sa.ForeignKey("spaces.id"), nullable=False),
    sa.Column("external_id", sa.Text),
    sa.Column("source", sa.Text),  # the folder or system that it is kept in step with; NULL = uploaded by hand
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("classification", sa.SmallInteger, nullable=False),
    sa.Column("own_policy_id", sa.ForeignKey("policies.id")),  # NULL = inherits the space's
    sa.Column("tags", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("metadata", JSONB, nullable=False, server_default="{}"),
    sa.Column("effective_from", _time),
    sa.Column("effective_to", _time),
    sa.Column("version", sa.Integer, nullable=False, server_default="0"),  # what readers see
    sa.Column("latest_version", sa.Integer, nullable=False, server_default="0"),  # the newest received
    sa.Column("created_by", sa.Text, nullable=False),
    _created(),
    _updated(),
    sa.Column("deleted_at", _time),
    sa.Column("deleted_by", sa.Text),
    sa.Column("erased_at", _time),  # nothing of its content is left anywhere; the row keeps the ledger whole
    sa.Index("ix_documents_space_id", "space_id"),
    sa.Index(
        "uq_documents_space_id_external_id",
        "space_id",
        "external_id",
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    ),
    sa.Index("ix_documents_tags", "tags", postgresql_using="gin"),
    sa.Index("ix_documents_metadata", "metadata", postgresql_using="gin"),
)

versions = sa.Table(
    "versions",
    metadata,
    sa.Column("document_id", sa.ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("file_name", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("text", sa.Text),
    sa.Column("outline", JSONB),  # [[kind, start, end, page, depth], …]: re-chunking needs no re-parsing
    sa.Column("parsed_text", sa.Text),  # what the bytes were read as, where edits laid over it make `text` differ
    sa.Column("element_counts", JSONB, nullable=False, server_default="{}"),
    sa.Column("language", sa.Text),
    sa.Column("pages", sa.Integer),
    sa.Column("valid_from", sa.BigInteger),
    sa.Column("valid_to", sa.BigInteger),
    sa.Column("reason_code", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("reason_page", sa.Integer),
    sa.Column("comment", sa.Text),
    sa.Column("origin", sa.Text, nullable=False, server_default="upload"),  # kbcore.domain.document.Origin
    sa.Column("source_uri", sa.Text),  # where the bytes came from, as the sender says
    sa.Column("based_on", sa.Integer),  # the version that this one was made from
    sa.Column("replaces", sa.Text, nullable=False, server_default="covered"),  # kbcore.domain.document.Replaces
    sa.Column("tags", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("metadata", JSONB, nullable=False, server_default="{}"),
    sa.Column("effective_from", _time),
    sa.Column("effective_to", _time),
    sa.Column("staged_in", sa.Integer),  # the generation that its waiting chunks belong to
    sa.Column("purged_at", _time),  # text, chunks and bytes are gone; the row keeps the history readable
    sa.Column("created_by", sa.Text, nullable=False),
    _created(),
    sa.Index("ix_versions_state", "state"),
    sa.Index("ix_versions_sha256", "sha256"),
    sa.Index("ix_versions_effective", "effective_from", postgresql_where=sa.text(f"valid_to = {FOREVER}")),
    sa.Index("ix_versions_effective_to", "effective_to", postgresql_where=sa.text(f"valid_to = {FOREVER}")),
    sa.Index("ix_versions_purged_at", "purged_at", postgresql_where=sa.text("purged_at IS NOT NULL")),
    # What retention may have to remove: not in force, and there are bytes left.
    sa.Index(
        "ix_versions_ended",
        "document_id",
        "number",
        postgresql_where=sa.text(f"sha256 <> '' AND valid_to IS DISTINCT FROM {FOREVER}"),
    ),
)

# Index generations and chunks

generations = sa.Table(
    "generations",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("collection", sa.Text, nullable=False, unique=True),
    sa.Column("embedding", sa.Text, nullable=False),  # Embedder.name
    sa.Column("dimension", sa.Integer, nullable=False),
    sa.Column("chunking", JSONB, nullable=False),
    sa.Column("space_chunking", JSONB, nullable=False, server_default="{}"),  # {space_id: chunking} where it differs
    sa.Column("analyzer", sa.Text, nullable=False, server_default="mixed-1"),  # kbcore.language.analyzer
    sa.Column("state", sa.Text, nullable=False),  # kbcore.metadata.generations.GenerationState
    sa.Column("rows", sa.BigInteger, nullable=False, server_default="0"),  # open rows: N of the IDF
    sa.Column("built_through", sa.BigInteger),  # holds every publication up to this epoch (the live one: all)
    sa.Column("cursor", sa.BigInteger),  # key of the last document of the first pass; NULL = that pass is over
    sa.Column("gate", JSONB),  # what it must reach before it may go live; NULL = nothing
    sa.Column("evaluation_id", sa.Text),  # the newest run of the gate
    sa.Column("job_id", sa.Text),
    sa.Column("created_by", sa.Text, nullable=False, server_default="system"),
    _created(),
    sa.Column("ready_at", _time),
    sa.Column("live_at", _time),
    sa.Column("retired_at", _time),
    sa.Index("uq_generations_live", "state", unique=True, postgresql_where=sa.text("state = 'live'")),
    sa.Index("uq_generations_building", "state", unique=True, postgresql_where=sa.text("state = 'building'")),
)

# A row here is a row in Milvus. `valid_from` is NULL while staged (embedded, not yet published).
chunks = sa.Table(
    "chunks",
    metadata,
    sa.Column("generation_id", sa.ForeignKey("generations.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("document_id", sa.ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("embedded_hash", sa.LargeBinary, nullable=False),  # SHA-256 of the embedded text
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("tokens", sa.Integer, nullable=False),
    sa.Column("terms", sa.LargeBinary, nullable=False),  # kbcore.language.weights: packed sparse vector
    # What its row in the index is stamped with, and its terms are counted under; NULL while staged.
    sa.Column("policy_id", sa.BigInteger),
    sa.Column("level", sa.SmallInteger),
    sa.Column("valid_from", sa.BigInteger),
    sa.Column("valid_to", sa.BigInteger),
    sa.Index("ix_chunks_document_id", "document_id"),
    sa.Index("ix_chunks_embedded_hash", "embedded_hash"),  # is a vector still needed?
    sa.Index("ix_chunks_policy_id", "generation_id", "policy_id", "valid_to"),  # exact search where little is visible
)

# Where a chunk stands in a version: an unchanged passage keeps its row and its vector, only its place changes.
version_chunks = sa.Table(
    "version_chunks",
    metadata,
    sa.Column("generation_id", sa.Integer, primary_key=True),
    sa.Column("document_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("chunk_id", sa.Text, nullable=False),
    sa.Column("start", sa.Integer, nullable=False),
    sa.Column("end", sa.Integer, nullable=False),
    sa.Column("heading", ARRAY(sa.Text), nullable=False),
    sa.Column("page", sa.Integer),
    sa.Column("kind", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(
        ["document_id", "version"], ["versions.document_id", "versions.number"], ondelete="CASCADE"
    ),
    sa.ForeignKeyConstraint(["generation_id", "chunk_id"], ["chunks.generation_id", "chunks.id"], ondelete="CASCADE"),
    sa.Index("ix_version_chunks_chunk_id", "generation_id", "chunk_id"),
)

# Vectors by content: re-publishing, rolling back and rebuilding the index embed nothing twice.
embeddings = sa.Table(
    "embeddings",
    metadata,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("text_hash", sa.LargeBinary, primary_key=True),
    sa.Column("vector", sa.LargeBinary, nullable=False),  # float32 little-endian
    sa.Column("stored_at", _time, nullable=False, server_default=sa.func.now()),  # an orphan, or work under way?
    sa.Index("ix_embeddings_text_hash", "text_hash", "stored_at"),  # is it an orphan?
)

# Statistics of the keyword leg: in how many open rows of a generation a term occurs, by who may read them. A search
# sums those that its asker may read: a word in a hidden document must not move any score.
term_counts = sa.Table(
    "term_counts",
    metadata,
    sa.Column("generation_id", sa.ForeignKey("generations.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("term", sa.BigInteger, primary_key=True),
    sa.Column("policy_id", sa.BigInteger, primary_key=True),
    sa.Column("level", sa.SmallInteger, primary_key=True),
    sa.Column("rows", sa.BigInteger, nullable=False),
)

# The open rows themselves, counted alike: N of the IDF, and how much of the index somebody sees.
row_counts = sa.Table(
    "row_counts",
    metadata,
    sa.Column("generation_id", sa.ForeignKey("generations.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("policy_id", sa.BigInteger, primary_key=True),
    sa.Column("level", sa.SmallInteger, primary_key=True),
    sa.Column("rows", sa.BigInteger, nullable=False),
)

# The epoch: one row, the number of committed publications.
epoch = sa.Table(
    "epoch",
    metadata,
    sa.Column("id", sa.Boolean, primary_key=True, server_default=sa.true()),
    sa.Column("value", sa.BigInteger, nullable=False),
    sa.Column("publishing", sa.BigInteger),  # the epoch being written to Milvus; still set after a crash: undo first
    sa.CheckConstraint("id", name="one_row"),
)

publications = sa.Table(
    "publications",
    metadata,
    sa.Column("epoch", sa.BigInteger, primary_key=True),
    sa.Column("committed_at", _time, nullable=False, server_default=sa.func.now()),
    sa.Column("documents", JSONB, nullable=False),  # [[document_id, version|null], …]; null = withdrawn
    sa.Column("rows_added", sa.Integer, nullable=False),
    sa.Column("rows_closed", sa.Integer, nullable=False),
    sa.Index("ix_publications_committed_at", "committed_at"),
)

# Long work

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False, server_default="queued"),
    sa.Column("done", sa.Integer, nullable=False, server_default="0"),
    sa.Column("total", sa.Integer, nullable=False, server_default="0"),
    sa.Column("document_id", sa.ForeignKey("documents.id", ondelete="CASCADE")),
    sa.Column("version", sa.Integer),
    sa.Column("space_id", sa.Text),
    sa.Column("subject", sa.Text),  # the generation, evaluation or erasure that it is about
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("cancel_requested", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("worker", sa.Text),
    sa.Column("lease_until", _time),
    sa.Column("sent_at", _time),
    _created(),
    sa.Column("started_at", _time),
    sa.Column("stage_started_at", _time),
    sa.Column("finished_at", _time),
    sa.Column("error_code", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("error_page", sa.Integer),
    sa.Index("ix_jobs_state_created_at", "state", "created_at"),
    sa.Index("ix_jobs_document_id", "document_id"),
    sa.Index("ix_jobs_kind_state", "kind", "state"),
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("request_hash", sa.LargeBinary, nullable=False),
    sa.Column("status", sa.Integer),  # NULL while the first request is still running
    sa.Column("body", JSONB),
    _created(),
)

# Conversations

conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("title", sa.Text, nullable=False),
    _created(),
    _updated(),
)

turns = sa.Table(
    "turns",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("conversation_id", sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("citations", JSONB, nullable=False),
    sa.Column("abstained", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("trace_id", sa.Text, nullable=False),
    _created(),
)

# Which versions an answer cites: to find the answers that a change makes stale. Version 0 = one that it only names.
turn_sources = sa.Table(
    "turn_sources",
    metadata,
    sa.Column("turn_id", sa.ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("document_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Index("ix_turn_sources_document_id", "document_id"),
)

feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("trace_id", sa.Text, nullable=False, index=True),
    sa.Column("rating", sa.SmallInteger, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("comment", sa.Text),
    sa.Column("complaint", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("closed_at", _time),  # of a complaint: somebody has looked into it
    sa.Column("closed_by", sa.Text),
    sa.Column("closing_note", sa.Text),
    _created(),
)

# Names of epochs. `space_id` NULL = of everything.

snapshots = sa.Table(
    "snapshots",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("space_id", sa.ForeignKey("spaces.id", ondelete="CASCADE")),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("comment", sa.Text),
    sa.Column("created_by", sa.Text, nullable=False),
    _created(),
)

# Physical erasure: what was asked, and the signed proof. No text, no title, no hash of what is gone.

erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("document_id", sa.Text, nullable=False, index=True),
    sa.Column("space_id", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("requested_by", sa.Text, nullable=False),
    _created(),
    # The rows, vectors, blobs and turns that it found: a killed worker's successor still has to remove them and to
    # probe for them. NULL once the certificate stands.
    sa.Column("found", JSONB),
    sa.Column("job_id", sa.Text),
    sa.Column("certificate", JSONB),  # NULL until every probe has come back empty
    sa.Column("finished_at", _time),
)

# Audit: a chain. No document text, no names: ids are pseudonyms once a person is erased.

audit_events = sa.Table(
    "audit_events",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),  # 1, 2, 3, … without gaps
    sa.Column("at", _time, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # kbcore.audit.events
    sa.Column("actor", sa.Text),  # the user whose rights counted; NULL = nobody known, or Zhiku itself
    sa.Column("acting", sa.Text),  # the service account that acted for it
    sa.Column("key_id", sa.Text),
    sa.Column("address", sa.Text),  # of the client
    sa.Column("trace_id", sa.Text),
    sa.Column("documents", ARRAY(sa.Text), nullable=False),
    sa.Column("detail", JSONB, nullable=False),
    sa.Column("mac_key", sa.Text, nullable=False),  # fingerprint of the key that `mac` was made with
    sa.Column("mac", sa.LargeBinary, nullable=False),  # over this record and the one before
    sa.Index("ix_audit_events_at", "at"),
    sa.Index("ix_audit_events_kind", "kind", "seq"),
    sa.Index("ix_audit_events_actor", "actor", "seq"),
    sa.Index("ix_audit_events_trace_id", "trace_id"),
    sa.Index("ix_audit_events_documents", "documents", postgresql_using="gin"),
)

audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.Boolean, primary_key=True, server_default=sa.true()),
    sa.Column("seq", sa.BigInteger, nullable=False),  # of the last record; 0 = none yet
    sa.Column("mac", sa.LargeBinary, nullable=False),
    sa.Column("at", _time, nullable=False, server_default="epoch"),  # of the last record: times never go back
    sa.CheckConstraint("id", name="one_row"),
)

# How far a reader of the audit stream has come.
audit_cursors = sa.Table(
    "audit_cursors",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    _updated(),
)

# Where somebody has been seen before, as keyed hashes: a new one is remarkable.
known_places = sa.Table(
    "known_places",
    metadata,
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),  # address, key
    sa.Column("value", sa.Text, primary_key=True),
    _created(),
)

# The path of one search or answer. A client may choose its trace id, so that several rows can share one.
traces = sa.Table(
    "traces",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("trace_id", sa.Text, nullable=False, index=True),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("acting", sa.Text),
    sa.Column("kind", sa.Text, nullable=False),  # search, ask
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("generation_id", sa.Integer),  # NULL = there was no index yet
    sa.Column("model", sa.Text),
    sa.Column("prompt_hash", sa.Text),
    sa.Column("path", JSONB, nullable=False),  # kbcore.domain.trace: request, stages, passages by id and place; no text
    _created(),
)

# Quality

golden_sets = sa.Table(
    "golden_sets",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    # [{"id", "question", "user_id", "documents": [id, …], "answerable"}, …]
    sa.Column("questions", JSONB, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    _created(),
    _updated(),
)

evaluations = sa.Table(
    "evaluations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("golden_set_id", sa.ForeignKey("golden_sets.id", ondelete="CASCADE"), nullable=False),
    sa.Column("generation_id", sa.Integer, nullable=False),  # the one judged
    sa.Column("baseline_id", sa.Integer),  # the one compared with; NULL = none
    sa.Column("gate", JSONB),  # thresholds; NULL = only a measurement
    sa.Column("passed", sa.Boolean),  # NULL until finished, or without a gate
    sa.Column("report", JSONB),  # NULL until finished; ids and figures, no text
    sa.Column("job_id", sa.Text),
    sa.Column("created_by", sa.Text, nullable=False),
    _created(),
    sa.Column("finished_at", _time),
    sa.Index("ix_evaluations_generation_id", "generation_id"),
)

# Asking

# What a space's people call things: abbreviations, synonyms. `space_id` NULL = everywhere.
glossary = sa.Table(
    "glossary",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("space_id", sa.ForeignKey("spaces.id", ondelete="CASCADE")),
    sa.Column("term", sa.Text, nullable=False),
    sa.Column("expansions", ARRAY(sa.Text), nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    _created(),
    _updated(),
    sa.Index("uq_glossary_space_id_term", "space_id", "term", unique=True, postgresql_nulls_not_distinct=True),
)

# Answers to be given again to whoever has the same rights; each use is checked again. No question is kept.
cached_answers = sa.Table(
    "cached_answers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column(
        "signature", sa.LargeBinary, nullable=False
    ),  # of rights, epoch, index, model, prompt, narrowing, language
    sa.Column("meaning", sa.LargeBinary, nullable=False),  # float32 little-endian: the question's vector
    sa.Column("terms", ARRAY(sa.BigInteger), nullable=False),  # the question's term ids, sorted
    sa.Column("answer", JSONB, nullable=False),
    sa.Column("documents", ARRAY(sa.Text), nullable=False),  # all that it cites, names or was written from
    sa.Column("expires_at", _time, nullable=False),
    _created(),
    sa.Index("ix_cached_answers_signature", "signature"),
    sa.Index("ix_cached_answers_expires_at", "expires_at"),
    sa.Index("ix_cached_answers_documents", "documents", postgresql_using="gin"),
)

# What models cost, by day (UTC). `space` is the only space that was asked in, or empty.
usage = sa.Table(
    "usage",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("space", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("requests", sa.BigInteger, nullable=False),
    sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
    sa.Column("completion_tokens", sa.BigInteger, nullable=False),
    sa.Column("cost_micros", sa.BigInteger, nullable=False),  # millionths of the currency of the settings
    sa.Column("latency_ms", sa.BigInteger, nullable=False),  # summed
    sa.Index("ix_usage_user_id", "user_id", "day"),
)
