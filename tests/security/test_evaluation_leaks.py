"""The permission trials see a leak: an index that lies is caught by SQL, and a check that lies by the trials."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kbcore.bootstrap import Platform
from kbcore.domain.chunk import Passage
from kbcore.domain.document import Classification
from kbcore.domain.evaluation import Evaluation, Gate, GoldenSet
from kbcore.domain.job import JobKind
from kbcore.domain.principal import Caller
from kbcore.metadata import evaluations, golden_sets, jobs
from kbcore.metadata.database import Database
from kbcore.metadata.rights import read_rights
from kbcore.settings import load_settings
from services.evaluation.golden_sets import WantedQuestion, WantedSet, create_set
from services.evaluation.runner import EvaluationRunner
from services.query import pipeline
from tests.builders import Corpus
from tests.security.test_lying_index import lying_platform

TEXTS = [f"the secret plan number {number} of the year {number}" for number in range(6)]


class Trial:
    """Six secret documents of HR, one who may read them, and three who may not; an index that names them to all."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.corpus = Corpus.open(platform)
        self.corpus.space("public", "everyone")  # so that strangers have a scope to search in
        self.corpus.space("hr", "hr")
        self.insider = self.corpus.person("insider", "hr")
        self.strangers = [self.corpus.person(name) for name in ("a", "b", "c")]
        self.documents = [self.corpus.add("hr", "plan", text) for text in TEXTS]
        self.golden = self._golden()

    def evaluate(self) -> Evaluation:
        """Measure the live generation with a gate that quality alone would open."""
        runner = EvaluationRunner(self.platform)
        with self.platform.database.begin() as connection:
            evaluation_id, _ = evaluations.start(
                connection,
                golden_set_id=self.golden.id,
                generation_id=self.corpus.generation.id,
                baseline_id=None,
                gate={"min_ndcg": 0.0},
                created_by="t",
            )
            job = jobs.claim_next(connection, JobKind.EVALUATE, runner.holder, 30)
        assert job is not None
        assert runner.carry_out(job)
        with self.platform.database.begin() as connection:
            found = evaluations.get(connection, evaluation_id)
        assert found is not None
        assert found.report is not None
        return found

    def _golden(self) -> GoldenSet:
        wanted = [golden_sets.WantedDocument(id=document) for document in self.documents]
        questions = [WantedQuestion(text, [document]) for text, document in zip(TEXTS, wanted, strict=True)]
        with self.platform.database.begin() as connection:
            return create_set(connection, self.insider, WantedSet("plans", questions), max_query_chars=100)


@pytest.fixture
def trial(tmp_path: Path, postgres_url: str, database: Database) -> Trial:
    settings = load_settings({"ZHIKU_HOME": str(tmp_path), "ZHIKU_DATABASE__URL": postgres_url})
    platform = lying_platform(settings, database, seed=7)
    platform.__dict__["embedder_for"] = lambda _name: platform.embedder
    return Trial(platform)


def test_an_index_that_lies_is_caught_by_the_check(trial: Trial) -> None:
    found = trial.evaluate()
    assert found.report is not None
    assert found.report["generation"]["hits_refused"] > 0
    assert (found.report["generation"]["leaks"], found.report["leaks"]) == (0, [])
    assert found.report["trials"] == 24
    assert found.passed is True
    assert found.gate == Gate(0.0)


def test_a_check_that_lies_is_caught_by_the_trials(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    honest: Callable[..., list[Passage]] = pipeline.check

    def as_the_insider(platform: Platform, _caller: Caller, *rest: object) -> list[Passage]:
        return honest(platform, trial.insider, *rest)

    monkeypatch.setattr(pipeline, "check", as_the_insider)
    found = trial.evaluate()
    assert found.report is not None
    assert found.report["generation"]["leaks"] > 0
    assert {leak["user_id"] for leak in found.report["leaks"]} <= {person.user_id for person in trial.strangers}
    assert {leak["document_id"] for leak in found.report["leaks"]} <= set(trial.documents)
    assert (found.passed, found.report["refused_because"]) == (False, ["leak"])


def test_rights_by_the_plain_rules(trial: Trial) -> None:
    stranger, document = trial.strangers[0], trial.documents[0]
    secret = trial.corpus.add("hr", "x", "y", classification=Classification.RESTRICTED)
    people = [trial.insider.user_id, stranger.user_id, "nobody"]

    def readers(of: str) -> list[str]:
        with trial.platform.database.snapshot() as connection:
            rights = read_rights(connection, people, [document, secret])
        return [person for person in people if rights.may_read(person, of)]

    assert readers(document) == [trial.insider.user_id]
    assert readers(secret) == readers("unknown") == []
    trial.corpus.delete(document)
    assert readers(document) == []
