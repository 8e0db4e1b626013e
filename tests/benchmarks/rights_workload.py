"""A large organisation in SQL: users in nested groups, policies, documents with one passage each, counted terms.

Written by a few statements rather than through the product, which would take an hour.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

ASKER = "asker"
TERMS = 12
GENERATION = 1
MODEL = "bench@1"


@dataclass(frozen=True, slots=True)
class Organisation:
    """How large it is. The asker is in `asker_groups` groups: in a tenth of them itself, in the others by nesting."""

    policies: int
    asker_groups: int
    users: int = 50_000
    groups: int = 4_000
    documents: int = 100_000


_FILL = (
    # People are in five groups each; of ten groups one holds people, and is in the nine others.
    """INSERT INTO users (id, name, display_name, clearance)
        SELECT 'u' || n, 'u' || n, 'U', 1 FROM generate_series(1, :users) n""",
    "INSERT INTO users (id, name, display_name, clearance) VALUES ('asker', 'asker', 'Asker', 2)",
    "INSERT INTO groups (id, name, title) SELECT 'g' || n, 'g' || n, 'G' FROM generate_series(0, :groups - 1) n",
    """INSERT INTO group_members (group_id, member)
        SELECT 'g' || (n * 31 + k * 977) % :groups, 'user:u' || n
        FROM generate_series(1, :users) n, generate_series(1, 5) k ON CONFLICT DO NOTHING""",
    """INSERT INTO group_members (group_id, member) SELECT 'g' || n, 'user:asker'
        FROM generate_series(0, :asker_groups - 1, 10) n""",
    """INSERT INTO group_members (group_id, member) SELECT 'g' || n, 'group:g' || n - 1
        FROM generate_series(0, :groups - 1) n WHERE n % 10 <> 0""",
    # Two hundred spaces with a policy each; the others are policies of documents. Three groups may read by each, two
    # people by name; one of twenty also denies a group.
    """INSERT INTO policies (id, digest) OVERRIDING SYSTEM VALUE
        SELECT n, CASE WHEN n > 200 THEN 'd' || n END FROM generate_series(1, :policies) n""",
    """INSERT INTO policy_entries (policy_id, principal, role)
        SELECT n, 'group:g' || (n * 7 + k * 1327) % :groups, 'reader'
        FROM generate_series(1, :policies) n, generate_series(1, 3) k ON CONFLICT DO NOTHING""",
    """INSERT INTO policy_entries (policy_id, principal, role)
        SELECT n, 'user:u' || (n * 5 + k * 100) % :users + 1, 'editor'
        FROM generate_series(1, :policies) n, generate_series(1, 2) k ON CONFLICT DO NOTHING""",
    """INSERT INTO policy_entries (policy_id, principal, role)
        SELECT n, 'group:g' || (n * 11 + 5) % :groups, NULL FROM generate_series(20, :policies, 20) n
        ON CONFLICT DO NOTHING""",
    """INSERT INTO spaces (id, name, title, policy_id)
        SELECT 's' || n, 's' || n, 'S', n FROM generate_series(1, LEAST(200, :policies)) n""",
    # Half of the documents have the policy of their space, the others one of their own, shared by some.
    """INSERT INTO documents (id, space_id, title, classification, own_policy_id, version, latest_version, created_by)
        SELECT 'd' || lpad(n::text, 8, '0'), 's' || n % LEAST(200, :policies) + 1, 'Document ' || n, n % 3,
            CASE WHEN n % 2 = 0 THEN n * 7919::bigint % :policies + 1 END, 1, 1, 'u1'
        FROM generate_series(1, :documents) n""",
    """INSERT INTO versions (document_id, number, sha256, size, file_name, media_type, title, state, text, valid_from,
            valid_to, created_by)
        SELECT id, 1, 'x', 1, 'a.md', 'text/markdown', title, 'indexed', 'text', 1, 4611686018427387904, 'u1'
        FROM documents""",
    """INSERT INTO generations (id, collection, embedding, dimension, chunking, state, rows)
        OVERRIDING SYSTEM VALUE VALUES (1, 'bench', 'bench@1', 384, '{}', 'live', :documents)""",
    """INSERT INTO embeddings (model, text_hash, vector)
        SELECT 'bench@1', sha256(n::text::bytea), decode(repeat('3d4ccccd', 384), 'hex')
        FROM generate_series(0, 999) n""",
    """INSERT INTO chunks (generation_id, id, document_id, text, embedded_hash, language, tokens, terms, policy_id,
            level, valid_from, valid_to)
        SELECT 1, d.id || '-1-0', d.id, repeat('A passage of text. ', 30), sha256((d.key % 1000)::text::bytea), 'en',
            100, '\\x'::bytea, COALESCE(d.own_policy_id, s.policy_id), d.classification, 1, 4611686018427387904
        FROM documents d JOIN spaces s ON s.id = d.space_id""",
    """INSERT INTO version_chunks (generation_id, document_id, version, ordinal, chunk_id, start, "end", heading, kind)
        SELECT 1, id, 1, 0, id || '-1-0', 0, 4, '{}', 'text' FROM documents""",
    """INSERT INTO row_counts (generation_id, policy_id, level, rows)
        SELECT 1, policy_id, level, count(*) FROM chunks GROUP BY policy_id, level""",
    # The question's words stand under every policy; beside them a hundred thousand other counts.
    """INSERT INTO term_counts (generation_id, term, policy_id, level, rows)
        SELECT 1, term, policy_id, level, 1 FROM row_counts, generate_series(1, :terms) term""",
    """INSERT INTO term_counts (generation_id, term, policy_id, level, rows)
        SELECT 1, 1000 + n % 20000, n % :policies + 1, n % 3, 1 FROM generate_series(1, 100000) n
        ON CONFLICT DO NOTHING""",
    "UPDATE epoch SET value = 1",
)


def fill(connection: Connection, size: Organisation) -> None:
    """Empty the database and put the organisation there. The history of access is left out: nothing here reads it."""
    connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
    connection.execute(sa.text("TRUNCATE users, groups, policies, spaces, documents, generations, embeddings CASCADE"))
    values = {
        "users": size.users,
        "groups": size.groups,
        "asker_groups": size.asker_groups,
        "policies": size.policies,
        "documents": size.documents,
        "terms": TERMS,
    }
    for statement in _FILL:
        used = {name: value for name, value in values.items() if f":{name}" in statement}
        connection.execute(sa.text(statement.replace("::", "\\:\\:")), used)
