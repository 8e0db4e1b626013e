"""The vector index is only a hint: one that returns deleted, foreign, old and invented rows leaks nothing.

A random history of publications, deletions and changes of rights runs on the real database. After every step everybody
searches over an index that ignores its filter and adds rows of its own; a plain Python model says what may be seen.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.domain.principal import Caller
from kbcore.errors import AclUnavailable, Unavailable
from kbcore.metadata.database import Database
from kbcore.metadata.tables import documents as documents_table
from kbcore.metadata.tables import versions as versions_table
from kbcore.settings import load_settings
from kbcore.vectors.interface import Vector, VectorFilter, VectorHit
from kbcore.vectors.memory import MemoryStore
from services.query.pipeline import search
from services.query.request import Mode, SearchRequest
from tests.builders import Corpus, never_exact

GROUPS = ("hr", "finance", "engineering")
STEPS = 40


class LettersEmbedder:
    """A unit vector from letter counts: quick, and good enough to tell texts apart."""

    name = "letters@1"
    dimension = 16
    max_tokens = 512

    def embed_passages(self, texts: list[str]) -> np.ndarray:
        return np.stack([self.embed_query(text) for text in texts]) if texts else np.empty((0, 16), np.float32)

    def embed_query(self, text: str) -> np.ndarray:
        vector = np.ones(self.dimension, np.float32)
        for character in text:
            vector[ord(character) % self.dimension] += 1
        return vector / np.linalg.norm(vector)

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(text.split()) for text in texts]


class LyingStore(MemoryStore):
    """Ignores the filter, remembers what it should have forgotten, and makes things up; never the same way twice."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance
        self._seen: set[str] = set()

    def search_dense(self, collection: str, query: Vector, where: VectorFilter, limit: int) -> list[VectorHit]:
        return self._lie(collection, super().search_dense(collection, query, where, limit))

    def search_sparse(
        self, collection: str, terms: Mapping[int, float], where: VectorFilter, limit: int
    ) -> list[VectorHit]:
        return self._lie(collection, super().search_sparse(collection, terms, where, limit))

    def _lie(self, collection: str, honest: list[VectorHit]) -> list[VectorHit]:
        self._seen |= {key for key, _ in self.scan(collection)}
        invented = ["", "x' OR 'a'='a", "0198-1-0", "a" * 5000, *(f"{key}0" for key in sorted(self._seen)[:3])]
        keys = [hit.chunk_id for hit in honest] + sorted(self._seen) + invented
        self._chance.shuffle(keys)
        return [VectorHit(key, 1.0) for key in keys]


@dataclass
class Expected:
    """What the model knows of one document."""

    space: str
    text: str
    version: int = 1
    level: Classification = Classification.PUBLIC
    deleted: bool = False
    in_force: bool = True


@dataclass
class World:
    """The plain Python model: who is in which group, which group reads which space, what every document says now."""

    members: dict[str, set[str]] = field(default_factory=dict)
    readers: dict[str, set[str]] = field(default_factory=dict)
    clearance: dict[str, Classification] = field(default_factory=dict)
    documents: dict[str, Expected] = field(default_factory=dict)

    def visible(self, person: str) -> set[tuple[str, int, str]]:
        return {
            (key, document.version, document.text)
            for key, document in self.documents.items()
            if not document.deleted
            and document.in_force
            and document.level <= self.clearance[person]
            and self.readers[document.space] & (self.members[person] | {"everyone"})
        }


@pytest.fixture
def settings_home(tmp_path: Path, postgres_url: str) -> Any:
    return load_settings({"ZHIKU_HOME": str(tmp_path), "ZHIKU_DATABASE__URL": postgres_url})


def lying_platform(settings: Any, database: Database, seed: int) -> Platform:
    platform = Platform(settings)
    never_exact(platform)  # so small a library would be searched without the index
    store = LyingStore(random.Random(seed))
    platform.__dict__.update(database=database, vectors=store, embedder=LettersEmbedder())
    return platform


@pytest.mark.parametrize("seed", range(3))
def test_nothing_leaks_through_a_lying_index(settings_home: Any, database: Database, seed: int) -> None:
    chance = random.Random(seed)
    corpus, world = Corpus.open(lying_platform(settings_home, database, seed)), World()
    for name, readers in [("public", ("everyone",)), *((group, (group,)) for group in GROUPS)]:
        corpus.space(name, *readers)
        world.readers[name] = set(readers)
    people: dict[str, Caller] = {}
    for number in range(4):
        name, groups = f"p{number}", set(chance.sample(GROUPS, chance.randint(0, 2)))
        level = chance.choice(list(Classification))
        people[name] = corpus.person(name, *groups, clearance=level)
        world.members[name], world.clearance[name] = groups, level
    shown = 0
    for step in range(STEPS):
        happen(chance, corpus, world, people, step)
        for name, caller in people.items():
            mode = chance.choice(list(Mode))
            found = search(corpus.platform, caller, SearchRequest("the secret plan", 100, mode=mode))
            seen = {(r.passage.document_id, r.passage.version, r.passage.text) for r in found.ranked}
            assert seen == world.visible(name), f"step {step}, {name}, {mode}"
            shown += len(seen)
    assert shown > 20  # something was there to be seen


def happen(chance: random.Random, corpus: Corpus, world: World, people: dict[str, Caller], step: int) -> None:
    """One random change, to the library and to the model."""
    alive = [key for key, document in world.documents.items() if not document.deleted]
    change = chance.choice(["add", "add", "revise", "delete", "leave", "close", "classify", "expire", "stage"])
    text = f"the secret plan number {step} of step {step}"
    if change == "add" or not alive:
        space, level = chance.choice(list(world.readers)), chance.choice(list(Classification))
        key = corpus.add(space, "plan", text, classification=level)
        world.documents[key] = Expected(space, text, level=level)
        return
    key = chance.choice(alive)
    document = world.documents[key]
    match change:
        case "revise":
            document.version, document.text = corpus.revise(key, "plan", text), text
        case "stage":
            # Staged and not published, so nobody sees it; in the same breath thrown away again.
            corpus.revise(key, "plan", f"unpublished {text}", publish=False)
            with corpus.platform.database.begin() as connection:
                connection.execute(sa.text("UPDATE versions SET state = 'skipped' WHERE state = 'staged'"))
        case "delete":
            corpus.delete(key)
            document.deleted = True
        case "leave":
            name = chance.choice(list(people))
            if world.members[name]:
                group = chance.choice(sorted(world.members[name]))
                corpus.leave(people[name], group)
                world.members[name].discard(group)
        case "close" if step > STEPS // 2:
            corpus.deny_everyone(document.space)
            world.readers[document.space] = set()
        case "classify":
            document.level = chance.choice(list(Classification))
            set_column(corpus, key, classification=int(document.level))
        case "expire":
            document.in_force = False
            ended = datetime.now(UTC) - timedelta(seconds=1)
            set_column(corpus, key, effective_to=ended)
            with corpus.platform.database.begin() as connection:
                connection.execute(
                    sa.update(versions_table).where(versions_table.c.document_id == key).values(effective_to=ended)
                )


def set_column(corpus: Corpus, key: str, **values: object) -> None:
    change = sa.update(documents_table).where(documents_table.c.id == key).values(**values)
    with corpus.platform.database.begin() as connection:
        connection.execute(change)


def test_an_index_that_does_not_answer_shows_nothing(settings_home: Any, database: Database) -> None:
    class Dead(MemoryStore):
        def search_dense(self, *args: object) -> list[VectorHit]:
            raise Unavailable("Milvus does not answer")

    platform = lying_platform(settings_home, database, 0)
    corpus = Corpus.open(platform)
    corpus.space("public", "everyone")
    person = corpus.person("p")
    corpus.add("public", "plan", "the secret plan")
    platform.__dict__["vectors"] = Dead()
    with pytest.raises(Unavailable):
        search(platform, person, SearchRequest("plan", 5))


def test_without_sql_nothing_is_shown(settings_home: Any, database: Database) -> None:
    platform = lying_platform(settings_home, database, 0)
    corpus = Corpus.open(platform)
    corpus.space("public", "everyone")
    person = corpus.person("p")
    corpus.add("public", "plan", "the secret plan")

    class GoesAwayAfterTheSearch(MemoryStore):
        def search_dense(self, *args: Any) -> list[VectorHit]:
            platform.__dict__["database"] = Database("postgresql://nobody@127.0.0.1:1/none")
            return alive.search_dense(*args)

        def search_sparse(self, *args: Any) -> list[VectorHit]:
            return alive.search_sparse(*args)

    alive = platform.vectors
    platform.__dict__["vectors"] = GoesAwayAfterTheSearch()
    with pytest.raises(AclUnavailable) as refused:
        search(platform, person, SearchRequest("plan", 5))
    assert refused.value.status == 503
