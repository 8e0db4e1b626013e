"""The plain Python model of who may read what: people, nested groups, spaces, policies, documents. No code of Zhiku's.

Values are frozen; a `World` is replaced field by field and copied before every move, so that an answer can be judged
against each state that held while it was made.
"""

from dataclasses import dataclass, field, replace

LEVELS = ("public", "internal", "confidential", "restricted")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a policy. `role` None = denied. `since` and `until` are seconds of the epoch; None = always."""

    principal: str
    role: str | None
    since: float | None = None
    until: float | None = None


Policy = tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """A user. `level` is an index of `LEVELS`."""

    name: str
    level: int
    admin: bool = False
    auditor: bool = False
    active: bool = True


@dataclass(frozen=True, slots=True)
class Version:
    """What was received: `said` is the marker in the text, `titled` the one in title, tags and metadata."""

    said: str
    titled: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document. `own` None = its space's policy, `inherits` = added to it.

    `indexed` once a version of it is surely published, `settled` while the newest one is, `stamped` while the index
    knows its policy and level: what it gains by another one is found after the re-stamping, what it loses, at once.
    """

    number: int
    id: str
    space: str
    level: int
    versions: tuple[Version, ...]
    own: Policy | None = None
    inherits: bool = False
    gone: bool = False
    indexed: bool = False
    settled: bool = False
    stamped: bool = True

    @property
    def handle(self) -> str:
        """A word of its text and nobody else's that one may search for: only `mk…` words count as shown."""
        return f"hd{self.number:04d}x"


@dataclass
class World:
    """Everything that decides. `members`: group → `user:NAME` and `group:NAME`; `revoked`: names of keys."""

    people: dict[str, Person] = field(default_factory=dict)
    members: dict[str, frozenset[str]] = field(default_factory=dict)
    spaces: dict[str, Policy] = field(default_factory=dict)
    documents: dict[int, Document] = field(default_factory=dict)
    revoked: frozenset[str] = frozenset()

    def copy(self) -> "World":
        """Another one, to be changed."""
        return World(
            dict(self.people), dict(self.members), dict(self.spaces), dict(self.documents), frozenset(self.revoked)
        )

    def amend(self, document: Document, **changes: object) -> None:
        """Put a changed document in place of what it was."""
        self.documents[document.number] = replace(document, **changes)  # type: ignore[arg-type]

    def alive(self) -> list[Document]:
        """Those that are not deleted or erased."""
        return [document for document in self.documents.values() if not document.gone]


def marker(number: int, version: int) -> str:
    """The word that betrays a version of a document wherever it appears."""
    return f"mk{number:04d}v{version:03d}x"
