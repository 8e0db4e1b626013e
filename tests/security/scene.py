"""One space, seven kinds of caller, and a fresh thing to act on for every call."""

from dataclasses import dataclass, field

import httpx

from kbcore.domain.chunk import ElementKind, Span, StoredText
from kbcore.domain.document import Classification, VersionState
from kbcore.domain.ids import new_id
from kbcore.domain.job import JobState
from kbcore.domain.principal import Scope, UserKind
from kbcore.errors import ItemFailed
from kbcore.metadata import (
    conversations,
    documents,
    glossary,
    groups,
    jobs,
    policies,
    snapshots,
    spaces,
    users,
    versions,
)
from kbcore.metadata import generations as index_generations
from kbcore.metadata.access import resolve_caller
from kbcore.metadata.generations import GenerationState, NewGeneration
from kbcore.metadata.tables import generations
from kbcore.permissions.policy import Grant, Policy, Role
from services.auth.api_keys import issue_key
from services.auth.authenticate import ON_BEHALF_OF
from services.library import upload
from services.library.erase import order_erasure
from services.library.upload import StoredFile, Upload
from tests.api_server import Api

ROLES = ("nobody", "outsider", "reader", "editor", "manager", "auditor", "admin")
"""Without a key; a user without a role; three roles in the space; an auditor and an administrator without one."""


@dataclass
class Scene:
    """What a call needs to be made for real."""

    api: Api
    clients: dict[str, httpx.Client] = field(default_factory=dict)
    user_ids: dict[str, str] = field(default_factory=dict)

    @classmethod
    def set_up(cls, api: Api) -> "Scene":
        """People and a key for each; no index, so that searches find nothing and ask nobody."""
        scene = cls(api)
        with api.database.begin() as connection:
            connection.execute(generations.delete())
            for role in ROLES[1:]:
                user = users.create_user(
                    connection,
                    name=f"{role}-{new_id()}",
                    display_name=role,
                    email=None,
                    clearance=Classification.INTERNAL,
                    is_admin=role == "admin",
                    is_auditor=role == "auditor",
                )
                scene.user_ids[role] = user.id
                scene.clients[role] = api.client(issue_key(connection, user_id=user.id, name=role).token)
        scene.clients["nobody"] = api.client()
        return scene

    def space(self) -> str:
        """A fresh space in which `reader`, `editor` and `manager` have these roles."""
        allow = frozenset(Grant(f"user:{self.user_ids[role]}", Role(role)) for role in ("reader", "editor", "manager"))
        with self.api.database.begin() as connection:
            return spaces.create_space(connection, name=f"s-{new_id()}", title="s", policy=Policy(allow)).id

    def document(self, space_id: str | None = None, external_id: str | None = None) -> str:
        """A fresh document in a fresh space, uploaded by somebody else, whose bytes are in the blob store."""
        return self._upload(space_id or self.space(), external_id).document_id

    def indexed(self) -> str:
        """A fresh document whose only version is as if indexed: it has a text, but readers do not see it yet."""
        document_id = self.document()
        with self.api.database.begin() as connection:
            versions.store_text(
                connection,
                document_id,
                1,
                StoredText("content", (Span(ElementKind.TEXT, 0, 7),)),
                media_type="text/plain",
                title="note",
                language="en",
                pages=None,
                element_counts={"text": 1},
            )
            versions.restate(connection, document_id, 1, state=VersionState.INDEXED)
        return document_id

    def job(self, *, failed: bool = False) -> str:
        """A fresh job of somebody else."""
        job_id = self._upload(self.space()).job_id
        assert job_id is not None
        if failed:
            with self.api.database.begin() as connection:
                jobs.finish(
                    connection, [job_id], JobState.FAILED, stage="failed", reason=ItemFailed("broken_file", "x")
                )
        return job_id

    def erasure(self) -> str:
        """A fresh erasure of a fresh document."""
        document_id = self.document()
        with self.api.database.begin() as connection:
            admin = resolve_caller(connection, self.user_ids["admin"])
            assert admin is not None
            return order_erasure(connection, admin, document_id, None).id

    def user(self) -> str:
        """A fresh user."""
        with self.api.database.begin() as connection:
            return users.create_user(
                connection,
                name=f"u-{new_id()}",
                display_name="u",
                email=None,
                clearance=Classification.PUBLIC,
                is_admin=False,
            ).id

    def group(self, *members: str) -> str:
        """A fresh group."""
        with self.api.database.begin() as connection:
            group = groups.create_group(connection, name=f"g-{new_id()}", title=new_id())
            groups.add_members(connection, group.id, members)
            return group.id

    def key(self) -> str:
        """A fresh key of a fresh user."""
        user_id = self.user()
        with self.api.database.begin() as connection:
            return issue_key(connection, user_id=user_id, name="k").key.id

    def key_of(self, role: str) -> str:
        """A fresh key of this person."""
        with self.api.database.begin() as connection:
            return issue_key(connection, user_id=self.user_ids[role], name="k").key.id

    def client_with(self, role: str, scopes: frozenset[Scope]) -> httpx.Client:
        """A client with a key of this person that may be used for these."""
        name = f"{role} {' '.join(sorted(scopes))}"
        if name not in self.clients:
            with self.api.database.begin() as connection:
                issued = issue_key(connection, user_id=self.user_ids[role], name="k", scopes=scopes)
            self.clients[name] = self.api.client(issued.token)
        return self.clients[name]

    def acting_for(self, role: str) -> httpx.Client:
        """A client of a service account that acts for this person."""
        name = f"for {role}"
        if name not in self.clients:
            with self.api.database.begin() as connection:
                app = users.create_user(
                    connection,
                    name=f"app-{new_id()}",
                    display_name="app",
                    email=None,
                    clearance=Classification.PUBLIC,
                    is_admin=True,
                    kind=UserKind.SERVICE,
                )
                issued = issue_key(connection, user_id=app.id, name="k", acts_for=True)
            self.clients[name] = self.api.client(issued.token)
            self.clients[name].headers[ON_BEHALF_OF] = self.user_ids[role]
        return self.clients[name]

    def with_own_policy(self) -> str:
        """A document whose own policy shuts out everyone who has a role in its space."""
        document_id = self.document()
        with self.api.database.begin() as connection:
            own = policies.intern_policy(connection, Policy(frozenset({Grant("user:nobody", Role.READER)})))
            documents.update(connection, document_id, own_policy_id=own)
        return document_id

    def conversation(self, role: str) -> str:
        """A fresh conversation of this person."""
        with self.api.database.begin() as connection:
            return conversations.create(connection, self.user_ids[role], "t")

    def trace(self, role: str) -> str:
        """The trace id of a search that this person has made."""
        found = self.clients[role].post("/v1/search", json={"query": "?"}).raise_for_status()
        return str(found.json()["trace_id"])

    def complaint(self) -> str:
        """The id of a fresh complaint of the reader."""
        with self.api.database.begin() as connection:
            return conversations.add_feedback(
                connection, self.user_ids["reader"], "0" * 32, -1, reason=None, comment="?", complaint=True
            )

    def snapshot(self, space_id: str | None = None) -> str:
        """The name of a fresh snapshot of a fresh space, or of the one given."""
        name, space_id = f"n-{new_id()[-12:]}", space_id or self.space()
        with self.api.database.begin() as connection:
            snapshots.insert_present(connection, name=name, space_id=space_id, comment=None, created_by="somebody")
        return name

    def glossary_entry(self, space_id: str | None = None) -> str:
        """The id of a fresh entry that holds in a fresh space, or in the one given."""
        with self.api.database.begin() as connection:
            return glossary.insert_entry(
                connection,
                space_id=space_id or self.space(),
                term=f"t-{new_id()[-12:]}",
                expansions=["word"],
                created_by="somebody",
            )

    def golden_questions(self) -> dict[str, object]:
        """What a golden set is made from: a reader's question about a document that the administrator reads, too."""
        readers = frozenset(Grant(f"user:{self.user_ids[role]}", Role.READER) for role in ("reader", "admin"))
        with self.api.database.begin() as connection:
            space = spaces.create_space(connection, name=f"s-{new_id()}", title="s", policy=Policy(readers))
        documents = [{"document_id": self.document(space.id)}]
        question = {"question": "?", "documents": documents, "user": self.user_ids["reader"]}
        return {"name": f"g-{new_id()[-12:]}", "questions": [question]}

    def golden_set(self) -> str:
        """The name of a fresh golden set."""
        body = self.golden_questions()
        return str(self.clients["admin"].post("/v1/golden-sets", json=body).raise_for_status().json()["name"])

    def retired_index(self) -> int:
        """A fresh index generation that searches do not use."""
        new = NewGeneration("letters@1", 8, {}, {})
        with self.api.database.begin() as connection:
            made = index_generations.insert_building(connection, new_id(), new, through=0)
            index_generations.update(connection, made.id, state=GenerationState.RETIRED)
        return made.id

    def evaluation(self) -> str:
        """A fresh evaluation, which nobody carries out."""
        body = {"set": self.golden_set(), "generation": self.retired_index()}
        return str(self.clients["admin"].post("/v1/evaluations", json=body).raise_for_status().json()["id"])

    def _upload(self, space_id: str, external_id: str | None = None) -> upload.Accepted:
        blob = self.api.platform.blobs.put([b"content"], max_bytes=100)
        with self.api.database.begin() as connection:
            sender = resolve_caller(connection, self.user_ids["admin"])
            assert sender is not None
            file = StoredFile("note.txt", blob)
            return upload.accept(connection, sender, Upload(space=space_id, external_id=external_id), file)
