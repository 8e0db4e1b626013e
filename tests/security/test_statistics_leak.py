"""Whether hidden documents contain a word changes nothing that an outsider gets: no score, no order, no refusal.

One library with what everybody may read, and the same with hidden documents beside it; both are asked the same.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.domain.principal import Caller
from kbcore.metadata.database import Database
from kbcore.settings import load_settings
from services.query.answer import Answer
from services.query.pipeline import ask, search
from services.query.request import AskRequest, Mode, SearchRequest
from tests.builders import Corpus, never_exact
from tests.embedders import bundled

VISIBLE = {
    "Leave": "# Leave\n\nEmployees have five days of annual leave.\n\n# Sick leave\n\nA certificate is needed.",
    "Travel": "# Hotels\n\nHotels are reimbursed up to 600 yuan.\n\n# Flights\n\nFlights are booked in economy class.",
    "Merger rules": "# Mergers\n\nAnnouncements of a merger are made by the board alone.",
    "制度": "# 年假\n\n员工享有五天年假。\n\n# 报销\n\n差旅报销须在三十天内提交。",
}
HIDDEN = [
    ("board", "Project Zephyr", "# Zephyr\n\nThe merger with Zephyr closes in March; hotels and leave are frozen."),
    ("board", "Zephyr layoffs", "# Zephyr\n\nAfter the Zephyr merger two hundred employees leave."),
    ("open", "Zephyr secret", "# Zephyr\n\nThe price of Zephyr in the merger, and the flights for it."),
]
QUESTIONS = (
    "Zephyr merger",
    "Zephyr",
    "When is the merger with Zephyr announced?",
    "annual leave of employees",
    "hotels reimbursed",
    "年假 Zephyr 报销",
)


@pytest.fixture(params=["exact", "index"])
def corpus(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str, milvus_uri: str, database: Database
) -> Iterator[Corpus]:
    settings = {"ZHIKU_HOME": str(tmp_path), "ZHIKU_DATABASE__URL": postgres_url, "ZHIKU_MILVUS__URI": milvus_uri}
    platform = Platform(load_settings(settings))
    platform.__dict__.update(database=database, embedding_model=bundled())
    if request.param == "index":
        never_exact(platform)
    built = Corpus.open(platform)
    built.space("open", "everyone")
    built.space("board", "board")
    for title, text in VISIBLE.items():
        built.add("open", title, text)
    yield built
    platform.vectors.drop(built.generation.collection)


def hide(corpus: Corpus) -> None:
    """Hidden by their space's policy, and one by its classification in a space that everybody reads."""
    for space, title, text in HIDDEN:
        level = Classification.RESTRICTED if space == "open" else Classification.INTERNAL
        corpus.add(space, title, text, classification=level)


def told(corpus: Corpus, caller: Caller) -> list[object]:
    """All that depends on scores, of every question and mode; without times, epochs and hits refused in private."""
    seen: list[object] = []
    for question in QUESTIONS:
        for mode in Mode:
            found = search(corpus.platform, caller, SearchRequest(question, 10, mode=mode))
            for item in found.ranked:
                same = replace(item, passage=replace(item.passage, embedding=None))
                seen.append((question, mode, same.passage, same.score, same.dense, same.keyword))
        (answer,) = [
            each
            for each in ask(corpus.platform, caller, AskRequest(question, model="extractive"))
            if isinstance(each, Answer)
        ]
        seen.append((answer.text, answer.abstained, answer.reason, answer.named))
    return seen


def test_an_outsider_is_told_the_same_whatever_is_hidden(corpus: Corpus) -> None:
    outsider = corpus.person("outsider")
    before = told(corpus, outsider)
    hide(corpus)
    assert told(corpus, outsider) == before


def test_who_may_read_them_is_told_otherwise(corpus: Corpus) -> None:
    """The other test would pass if nothing was counted at all."""
    board = corpus.person("director", "board", clearance=Classification.RESTRICTED)
    before = told(corpus, board)
    hide(corpus)
    assert told(corpus, board) != before
    (first, *_) = search(corpus.platform, board, SearchRequest("hotels reimbursed", 10, mode=Mode.KEYWORD)).ranked
    assert first.passage.title == "Travel"
    outsider = corpus.person("outsider")
    (seen, *_) = search(corpus.platform, outsider, SearchRequest("hotels reimbursed", 10, mode=Mode.KEYWORD)).ranked
    assert seen.passage.chunk_id == first.passage.chunk_id
    assert seen.keyword != first.keyword
