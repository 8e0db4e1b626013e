"""A small library with people in it, put there by the real stages: chunk, embed, stage, publish."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ingestion.chunk.chunker import chunk
from ingestion.publish import Publisher
from kbcore.bootstrap import Platform
from kbcore.domain.chunk import ElementKind, Span, StoredText
from kbcore.domain.document import Classification
from kbcore.domain.ids import chunk_id, new_id
from kbcore.domain.principal import Caller
from kbcore.domain.vector import vector_to_bytes
from kbcore.language.analyzer import terms
from kbcore.language.script import detect_language
from kbcore.language.weights import document_weights, pack
from kbcore.metadata import chunks, documents, generations, spaces, users, versions
from kbcore.metadata.access import resolve_caller
from kbcore.metadata.chunks import StagedChunk
from kbcore.metadata.documents import NewDocument
from kbcore.metadata.generations import Generation
from kbcore.metadata.tables import group_members, groups, policy_entries
from kbcore.metadata.tables import spaces as spaces_table
from kbcore.metadata.versions import NewVersion
from kbcore.permissions.policy import Grant, Policy, Role


@dataclass
class Corpus:
    """Spaces, documents and people of one test."""

    platform: Platform
    generation: Generation
    groups: dict[str, str] = field(default_factory=dict)
    spaces: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, platform: Platform) -> "Corpus":
        """A live generation for the platform's own embedding model."""
        embedder = platform.embedder
        with platform.database.begin() as connection:
            generation = generations.insert_live(
                connection,
                prefix=f"t{new_id()[-12:]}",
                embedding=embedder.name,
                dimension=embedder.dimension,
                chunking={},
            )
        platform.vectors.create(generation.collection, embedder.dimension)
        platform.vectors.load(generation.collection)
        return cls(platform, generation)

    def person(
        self,
        name: str,
        *groups_of: str,
        clearance: Classification = Classification.INTERNAL,
        is_admin: bool = False,
    ) -> Caller:
        """A user who is a member of these groups."""
        with self.platform.database.begin() as connection:
            user = users.create_user(
                connection, name=name, display_name=name, email=None, clearance=clearance, is_admin=is_admin
            )
            for group in groups_of:
                row = {"group_id": self.group(group, connection), "member": f"user:{user.id}"}
                connection.execute(sa.insert(group_members).values(row))
            caller = resolve_caller(connection, user.id)
        assert caller is not None
        return caller

    def group(self, name: str, connection: sa.Connection) -> str:
        """The id of a group, made when first named."""
        if name not in self.groups:
            self.groups[name] = new_id()
            connection.execute(sa.insert(groups).values(id=self.groups[name], name=name, title=name))
        return self.groups[name]

    def join(self, caller: Caller, group: str) -> None:
        """Put somebody into a group."""
        with self.platform.database.begin() as connection:
            row = {"group_id": self.group(group, connection), "member": f"user:{caller.user_id}"}
            connection.execute(sa.insert(group_members).values(row))

    def leave(self, caller: Caller, group: str) -> None:
        """Take somebody out of a group."""
        gone = sa.delete(group_members).where(
            group_members.c.group_id == self.groups[group], group_members.c.member == f"user:{caller.user_id}"
        )
        with self.platform.database.begin() as connection:
            connection.execute(gone)

    def space(self, name: str, *readers: str) -> str:
        """A space that these groups (or `everyone`) may read."""
        with self.platform.database.begin() as connection:
            principals = [r if r == "everyone" else f"group:{self.group(r, connection)}" for r in readers]
            policy = Policy(allow=frozenset(Grant(principal, Role.READER) for principal in principals))
            self.spaces[name] = spaces.create_space(connection, name=name, title=name, policy=policy).id
        return self.spaces[name]

    def deny_everyone(self, space: str) -> None:
        """Add a deny entry to a space's policy."""
        policy = sa.select(spaces_table.c.policy_id).where(spaces_table.c.id == self.spaces[space])
        with self.platform.database.begin() as connection:
            policy_id = connection.execute(policy).scalar_one()
            connection.execute(sa.delete(policy_entries).where(policy_entries.c.policy_id == policy_id))

    def add(
        self,
        space: str,
        title: str,
        text: str | StoredText,
        *,
        classification: Classification = Classification.INTERNAL,
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        effective: tuple[datetime | None, datetime | None] = (None, None),
        publish: bool = True,
    ) -> str:
        """A published document. Lines that begin with `# ` are headings; blank lines part paragraphs."""
        document_id = new_id()
        new = NewDocument(
            document_id,
            self.spaces[space],
            None,
            title,
            classification,
            tuple(tags),
            metadata or {},
            *effective,
            "test",
        )
        with self.platform.database.begin() as connection:
            documents.insert(connection, new)
        self.revise(document_id, title, text, publish=publish)
        return document_id

    def revise(self, document_id: str, title: str, text: str | StoredText, *, publish: bool = True) -> int:
        """The next version of a document."""
        stored = stored_text(text) if isinstance(text, str) else text
        embedder, settings = self.platform.embedder, self.platform.settings.chunking
        pieces = chunk(
            stored,
            title=title,
            count_tokens=embedder.count_tokens,
            max_tokens=settings.max_tokens,
            min_tokens=settings.min_tokens,
        )
        vectors = embedder.embed_passages([piece.embedded_text for piece in pieces])
        hashes = [hashlib.sha256(piece.embedded_text.encode()).digest() for piece in pieces]
        with self.platform.database.begin() as connection:
            number = versions.insert(
                connection, NewVersion(document_id, "0" * 64, 1, "a.txt", "text/plain", title, "test")
            )
            staged = [
                StagedChunk(
                    chunk_id(document_id, number, ordinal),
                    piece,
                    digest,
                    pack(document_weights(terms(piece.embedded_text))),
                )
                for ordinal, (piece, digest) in enumerate(zip(pieces, hashes, strict=True))
            ]
            versions.store_text(
                connection,
                document_id,
                number,
                stored,
                media_type="text/plain",
                title=title,
                language=detect_language(stored.text),
                pages=None,
                element_counts={},
            )
            stored_vectors = {h: vector_to_bytes(v) for h, v in zip(hashes, vectors, strict=True)}
            chunks.store_vectors(connection, embedder.name, stored_vectors)
            chunks.stage(connection, self.generation.id, document_id, number, staged)
            versions.mark_staged(connection, self.generation.id, document_id, number)
        if publish:
            self.publish()
        return number

    def publish(self) -> None:
        """Publish what is staged."""
        Publisher(self.platform).publish_staged()

    def delete(self, document_id: str) -> None:
        """Mark deleted, as the API does at once; the index still has the rows."""
        with self.platform.database.begin() as connection:
            documents.mark_deleted(connection, document_id, "test")

    def text_of(self, document_id: str, version: int) -> str:
        """The stored text of a version."""
        with self.platform.database.begin() as connection:
            row = connection.execute(
                sa.text("SELECT text FROM versions WHERE document_id = :id AND number = :number"),
                {"id": document_id, "number": version},
            )
            return str(row.scalar_one())


def stored_text(text: str) -> StoredText:
    """Paragraphs and `# ` headings as the clean stage would outline them."""
    blocks = [block.strip() for block in text.split("\n\n") if block.strip()]
    spans, parts, at = [], [], 0
    for block in blocks:
        depth = len(block) - len(block.lstrip("#"))
        words = block.lstrip("# ")
        kind = ElementKind.HEADING if depth else ElementKind.TEXT
        spans.append(Span(kind, at, at + len(words), None, depth or None))
        parts.append(words)
        at += len(words) + 2
    return StoredText("\n\n".join(parts), tuple(spans))


def never_exact(platform: Platform) -> None:
    """Let the vector index answer however little somebody may see."""
    retrieval = platform.settings.retrieval.model_copy(update={"exact_rows": 0})
    platform.settings = platform.settings.model_copy(update={"retrieval": retrieval})
