"""An answer that is given again tells nobody what it may not read, whatever the index and the memory propose.

The random history of `test_lying_index`: revocations, revisions, deletions, changes of level. Everybody asks the same
question after each step. In the second trial even the signature lies: every earlier answer fits everybody's question,
of whatever rights and epoch, so that nothing but the confirmation in SQL stands between.
"""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.domain.principal import Caller
from kbcore.metadata.cached_answers import Question
from kbcore.metadata.database import Database
from kbcore.metadata.tables import cached_answers
from kbcore.settings import Settings, load_settings
from services.query import remembered
from services.query.answer import Answer
from services.query.pipeline import ask
from services.query.request import AskRequest
from tests.builders import Corpus
from tests.security.test_lying_index import GROUPS, World, happen, lying_platform

STEPS = 40
QUESTION = AskRequest("What is the secret plan number?")


@pytest.fixture
def remembering(tmp_path: Path, postgres_url: str) -> Settings:
    """Every answer is remembered, and no evidence is too weak."""
    weak = {f"ZHIKU_ANSWER__MIN_{name}": "-10" for name in ("SCORE_ZH", "SCORE_EN", "SCORE_CROSS")}
    weak |= {f"ZHIKU_ANSWER__MIN_{name}": "-10" for name in ("QUOTE_ZH", "QUOTE_EN")}
    given = {"ZHIKU_HOME": str(tmp_path), "ZHIKU_DATABASE__URL": postgres_url, "ZHIKU_ANSWER__REMEMBER_MINUTES": "60"}
    return load_settings({**given, **weak})


def answer_of(platform: Platform, caller: Caller) -> Answer:
    return next(event for event in ask(platform, caller, QUESTION, remembers=True) if isinstance(event, Answer))


@pytest.mark.parametrize("signature_lies", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_nothing_leaks_through_what_is_remembered(
    remembering: Settings, database: Database, monkeypatch: pytest.MonkeyPatch, seed: int, signature_lies: bool
) -> None:
    if signature_lies:
        honest = remembered._question

        def lying(*args: Any) -> Question | None:
            asked = honest(*args)
            return None if asked is None else replace(asked, signature=b"the same")

        monkeypatch.setattr(remembered, "_question", lying)
    chance = random.Random(seed)
    corpus, world = Corpus.open(lying_platform(remembering, database, seed)), World()
    for name, readers in [("public", ("everyone",)), *((group, (group,)) for group in GROUPS)]:
        corpus.space(name, *readers)
        world.readers[name] = set(readers)
    people: dict[str, Caller] = {}
    for number in range(4):
        name, groups = f"p{number}", set(chance.sample(GROUPS, chance.randint(0, 2)))
        people[name] = corpus.person(name, *groups, clearance=Classification.CONFIDENTIAL)
        world.members[name], world.clearance[name] = groups, Classification.CONFIDENTIAL
    again = proposed = 0
    for step in range(STEPS):
        happen(chance, corpus, world, people, step)
        for name, caller in people.items():
            proposed += len(waiting(database))
            answer = answer_of(corpus.platform, caller)
            visible = world.visible(name)
            versions = {(document, version) for document, version, _ in visible}
            assert {(each.document_id, each.version) for each in answer.citations} <= versions, f"step {step}, {name}"
            assert all(any(each.quote in text for _, _, text in visible) for each in answer.citations)
            if answer.given_before is not None:
                again += 1
                readable = {document for document, _, _ in visible}
                assert any(each <= readable for each in written_from(database, answer))
    assert proposed > STEPS, "there was something to be given"
    assert again > 10, "and some of it was given"


def waiting(database: Database) -> list[Any]:
    with database.begin() as connection:
        return list(connection.execute(sa.select(cached_answers.c.id)).scalars())


def written_from(database: Database, answer: Answer) -> list[set[str]]:
    """The documents behind each answer that was kept in these words."""
    with database.begin() as connection:
        rows = connection.execute(sa.select(cached_answers.c.answer, cached_answers.c.documents)).all()
        return [set(row.documents) for row in rows if row.answer["text"] == answer.text]
