"""What is searched in SQL because little of it may be seen is what an exact index finds, row by row."""

import random
from datetime import UTC, datetime

import numpy as np
import pytest
import sqlalchemy as sa

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.language.weights import coverage, packed_coverages, unpack
from kbcore.metadata.database import Database
from kbcore.metadata.standpoint import AsOf, Narrowing
from kbcore.vectors.memory import MemoryStore
from services.query.found import QueryVectors
from services.query.request import Mode, SearchRequest
from services.query.retrieve import analyse, candidates, embed, stand, weigh
from tests.builders import Corpus, never_exact
from tests.security.test_lying_index import LettersEmbedder

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
LIMIT = 7


@pytest.fixture
def corpus(platform: Platform) -> Corpus:
    """Three spaces, documents of three levels, some of them changed or deleted since."""
    chance = random.Random(3)
    platform.__dict__.update(vectors=MemoryStore(), embedder=LettersEmbedder())
    built = Corpus.open(platform)
    for name in ("open", "hr", "board"):
        built.space(name, "everyone" if name == "open" else name)
    for number in range(30):
        space, level = chance.choice(("open", "hr", "board")), chance.choice(list(Classification)[:3])
        text = "\n\n".join(" ".join(chance.choices(WORDS, k=6)) for _ in range(3))
        document = built.add(space, f"d{number}", text, classification=level, tags=chance.choice(((), ("t",))))
        if number % 3 == 0:
            built.revise(document, f"d{number}", text.replace("alpha", "omega"))
        if number % 7 == 0:
            built.delete(document)
    return built


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(
    "request_of",
    [
        {},
        {"narrowing": Narrowing(spaces=("open",))},
        {"narrowing": Narrowing(tags=("t",))},
        {"as_of": AsOf(epoch=9)},
    ],
    ids=["all", "space", "tag", "as_of"],
)
def test_both_ways_name_the_same_rows(corpus: Corpus, mode: Mode, request_of: dict[str, object]) -> None:
    people = [corpus.person("li"), corpus.person("wang", "hr", clearance=Classification.CONFIDENTIAL)]
    named = {}
    for caller in people:
        for query in ("alpha beta", "omega", "kappa iota gamma"):
            request = SearchRequest(query, LIMIT, mode=mode, **request_of)  # type: ignore[arg-type]
            words = analyse(query)
            standpoint = stand(corpus.platform, caller, words, request)
            vectors = QueryVectors(embed(corpus.platform, standpoint, request), weigh(words, standpoint, request))
            assert standpoint.index is not None
            exact = candidates(corpus.platform, standpoint.index, standpoint, vectors, mode, LIMIT)
            settings = corpus.platform.settings
            never_exact(corpus.platform)
            by_index = candidates(corpus.platform, standpoint.index, standpoint, vectors, mode, LIMIT)
            corpus.platform.settings = settings
            assert exact == by_index
            named[caller.user_id, query] = set(exact.chunk_ids)
    assert any(named.values())


def test_more_rows_than_are_exactly_searched_ask_the_index(corpus: Corpus) -> None:
    retrieval = corpus.platform.settings.retrieval.model_copy(update={"exact_rows": 20})
    corpus.platform.settings = corpus.platform.settings.model_copy(update={"retrieval": retrieval})
    asked: list[float] = []

    class Watched(MemoryStore):
        def search_dense(self, collection, query, where, limit):  # type: ignore[no-untyped-def]
            asked.append(where.share)
            return []

    corpus.platform.__dict__["vectors"] = Watched()
    hr = corpus.person("wang", "hr", "board", clearance=Classification.CONFIDENTIAL)
    request = SearchRequest("alpha", LIMIT, mode=Mode.DENSE)
    standpoint = stand(corpus.platform, hr, {}, request)
    vectors = QueryVectors(embed(corpus.platform, standpoint, request), {})
    assert standpoint.index is not None
    candidates(corpus.platform, standpoint.index, standpoint, vectors, Mode.DENSE, LIMIT)
    assert asked == [1.0]


def test_a_past_state_of_many_rows_asks_the_index(platform: Platform) -> None:
    """Little is open now, but every version's rows were once: they are not read through."""
    platform.__dict__.update(vectors=MemoryStore(), embedder=LettersEmbedder())
    corpus = Corpus.open(platform)
    corpus.space("open", "everyone")
    document = corpus.add("open", "d", "alpha one")
    for word in WORDS:
        corpus.revise(document, "d", f"alpha {word}")
    retrieval = platform.settings.retrieval.model_copy(update={"exact_rows": 5})
    platform.settings = platform.settings.model_copy(update={"retrieval": retrieval})
    person = corpus.person("li")
    request = SearchRequest("alpha", LIMIT, mode=Mode.DENSE, as_of=AsOf(effective_at=datetime(2020, 1, 1, tzinfo=UTC)))
    standpoint = stand(platform, person, {}, request)
    vectors = QueryVectors(embed(platform, standpoint, request), {})
    assert standpoint.history
    assert standpoint.rows == 1
    assert standpoint.index is not None
    found = candidates(platform, standpoint.index, standpoint, vectors, Mode.DENSE, 50)
    assert len(found.chunk_ids) == len(WORDS) + 1


def test_scores_of_many_packed_passages_are_those_of_each(corpus: Corpus, database: Database) -> None:
    with database.begin() as connection:
        packed = list(connection.execute(sa.text("SELECT terms FROM chunks ORDER BY id")).scalars())
    terms = sorted({term for each in packed for term in unpack(each)})
    question = {term: 0.1 * (place + 1) for place, term in enumerate(terms[::2])}
    ours = packed_coverages(question, b"".join(packed), [len(each) for each in packed])
    assert ours == pytest.approx([coverage(question, unpack(each)) for each in packed])
    assert np.array_equal(packed_coverages({}, b"".join(packed), [len(each) for each in packed]), np.zeros(len(packed)))
