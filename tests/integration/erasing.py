"""A document that leaves traces everywhere, beside one that must stay, and the search for what is left of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from ingestion.erase import Eraser
from kbcore.domain.conversation import Citation, Turn
from kbcore.domain.document import Classification
from kbcore.domain.ids import new_id
from kbcore.domain.principal import Caller
from kbcore.domain.trace import Trace, TracedPassage, TraceKind
from kbcore.metadata import conversations, documents, idempotency, policies, spaces, users
from kbcore.metadata import traces as trace_rows
from kbcore.metadata.access import resolve_caller
from kbcore.metadata.erasures import Erasure
from kbcore.metadata.idempotency import Answer
from kbcore.metadata.tables import metadata
from kbcore.permissions.policy import Grant, Policy, Role
from services.library.erase import known_erasure, order_erasure
from tests.integration.ingesting import Works

MARKER = "quetzalcoatlus"
SHARED = "# Common\n\nThis part stands in both documents, word for word, under the same heading.\n\n"
SECRET = f"# Secret\n\nThe {MARKER} project ends in June, and nobody may know before the first of May.\n\n"
OTHER = "# Other\n\nThe canteen opens at noon and closes at two, every day but Sunday.\n\n"


def quietly(_stage: str, _done: int, _total: int) -> None:
    """A job's progress that nobody reads."""


@dataclass
class Traces:
    """Two documents of one space, and an administrator who asked about both."""

    works: Works
    admin: Caller
    secret: str
    other: str
    conversation: str
    trace: str

    @classmethod
    def leave(cls, works: Works) -> "Traces":
        """Two versions of the secret document, one of another one; answers, feedback and replies that repeat them."""
        with works.platform.database.begin() as connection:
            user = users.create_user(
                connection,
                name="admin",
                display_name="admin",
                email=None,
                clearance=Classification.RESTRICTED,
                is_admin=True,
            )
            admin = resolve_caller(connection, user.id)
        assert admin is not None
        secret, _, job = works.upload(SHARED + SECRET)
        works.bench.run(job)
        works.bench.run(works.upload(SHARED + SECRET + f"# More\n\nAnd more about {MARKER} and its end.\n", secret)[2])
        with works.platform.database.begin() as connection:
            documents.update(
                connection,
                secret,
                title=f"About {MARKER}",
                external_id=f"{MARKER}-1",
                source=MARKER,
                tags=[MARKER],
                metadata={MARKER: True},
            )
        works.execute(f"UPDATE versions SET file_name = '{MARKER}.md', comment = '{MARKER}', source_uri = '{MARKER}'")
        other, _, job = works.upload(SHARED + OTHER)
        works.bench.run(job)
        traces = cls(works, admin, secret, other, "", "a" * 32)
        traces._converse()
        return traces

    def _converse(self) -> None:
        with self.works.platform.database.begin() as connection:
            self.conversation = conversations.create(connection, self.admin.user_id, "When does it end?")
            for document, answer, trace in ((self.secret, SECRET, self.trace), (self.other, OTHER, "b" * 32)):
                turn = self.turn(document, answer, trace)
                conversations.add_turn(connection, turn)
                conversations.add_feedback(
                    connection,
                    self.admin.user_id,
                    trace,
                    1,
                    reason="good",
                    comment=f"yes, {answer}",
                    complaint=False,
                )
            named = self.turn(self.other, f"I don't know; the closest is About {MARKER}", "c" * 32)
            conversations.add_turn(connection, named, [self.secret])
            trace_rows.insert(connection, self.searched(f"what is {MARKER}?", self.secret))
            trace_rows.insert(connection, self.searched("when is lunch?", self.other))
            reply = Answer(200, {"id": self.secret, "title": f"About {MARKER}"})
            idempotency.remember(connection, self.admin.user_id, "key", b"hash", reply)

    def admit(self) -> None:
        """Give the administrator a role in the documents' space: managing alone, it may not read them."""
        allow = frozenset({Grant(f"user:{self.admin.user_id}", Role.READER)})
        with self.works.platform.database.begin() as connection:
            found = spaces.find_space(connection, self.admin, self.works.space_id)
            assert found is not None
            policies.replace_policy(connection, found.space.policy_id, Policy(allow))

    def turn(self, document: str, answer: str, trace: str) -> Turn:
        """An answer that quotes a document."""
        quote = Citation("[1]", f"{document}-1-1", document, 1, "T", answer, "/x", None, ("Secret",), 0, 9)
        return Turn(
            id=new_id(),
            conversation_id=self.conversation,
            question="When does it end?",
            answer=answer,
            citations=(quote,),
            abstained=False,
            reason=None,
            model="m",
            epoch=1,
            trace_id=trace,
            created_at=datetime.now(UTC),
        )

    def searched(self, question: str, document: str) -> Trace:
        """The trace of a search that found a document."""
        return Trace(
            id=new_id(),
            trace_id="d" * 32,
            user_id=self.admin.user_id,
            acting=None,
            kind=TraceKind.SEARCH,
            question=question,
            asked={"standalone": question, "tags": [question]},
            history=(),
            epoch=1,
            at=datetime.now(UTC),
            as_of_past=False,
            replaced_too=False,
            dated=False,
            generation_id=None,
            embedding=None,
            analyzer=None,
            legs={},
            refused=(),
            passages=(TracedPassage(f"{document}-1-1", document, 1, 0, 9, 1.0, None, None, None),),
            took_ms={},
        )

    def order(self, document: str | None = None) -> Erasure:
        """What the API does."""
        with self.works.platform.database.begin() as connection:
            return order_erasure(connection, self.admin, document or self.secret, None)

    def erase(self) -> Erasure:
        """Order and carry out; the erasure as it ended."""
        erasure = self.order()
        Eraser(self.works.platform).erase(erasure.id, quietly)
        return self.erasure(erasure.id)

    def erasure(self, erasure_id: str) -> Erasure:
        """As SQL has it."""
        with self.works.platform.database.begin() as connection:
            return known_erasure(connection, erasure_id)

    def turns(self) -> list[Turn]:
        """The conversation as its owner reads it, without asking for rights."""
        with self.works.platform.database.begin() as connection:
            return conversations.turns_of(connection, self.admin.user_id, self.conversation)

    def left(self) -> list[str]:
        """Every place in which the secret document is still found."""
        return [*self._in_tables(), *self._in_blobs(), *self._in_index()]

    def _in_tables(self) -> Iterator[str]:
        """Every text, JSON and bytea column of every table."""
        with self.works.platform.database.begin() as connection:
            for table in metadata.sorted_tables:
                for row in connection.execute(sa.select(table)):
                    for name, value in row._mapping.items():
                        raw = value if isinstance(value, bytes | memoryview) else str(value).encode()
                        if MARKER.encode() in bytes(raw):
                            yield f"{table.name}.{name}"

    def _in_blobs(self) -> Iterator[str]:
        folder = self.works.platform.settings.home / "blobs"
        files: list[Path] = [path for path in folder.rglob("*") if path.is_file()]
        return (f"blob {path.name}" for path in files if MARKER.encode() in path.read_bytes())

    def _in_index(self) -> Iterator[str]:
        with self.works.platform.database.begin() as connection:
            key = connection.execute(sa.text("SELECT key FROM documents WHERE id = :id"), {"id": self.secret}).scalar()
        rows = self.works.platform.vectors.scan(self.works.generation.collection)
        return (f"row {chunk}" for chunk, stamp in rows if stamp.document_key == key or self.secret in chunk)
