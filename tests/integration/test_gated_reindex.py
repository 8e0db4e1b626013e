"""A re-index with a gate, from the order to the switch: built by a worker, judged by an API process, let in or not."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.domain.evaluation import Evaluation, GoldenSet
from kbcore.domain.job import JobState
from kbcore.embedding.truncated import TruncatedEmbedder
from kbcore.errors import Conflict
from kbcore.metadata import evaluations, users
from kbcore.metadata.access import resolve_caller
from kbcore.metadata.generations import Generation
from kbcore.metadata.golden_sets import WantedDocument
from kbcore.metadata.policies import replace_policy
from kbcore.permissions.policy import Grant, Policy, Role
from services.evaluation.golden_sets import WantedQuestion, WantedSet, create_set
from services.evaluation.runner import EvaluationRunner
from services.library.reindex import GateOrder
from tests.integration.evaluating import ANSWERS
from tests.integration.reindexing import Indexes, open_indexes


@dataclass
class Gated:
    """Indexes over the answers of `ANSWERS`, and a golden set that asks for them."""

    indexes: Indexes
    golden: GoldenSet

    def judge(self) -> None:
        """What an API process does of itself."""
        assert EvaluationRunner(self.indexes.platform).run_next()

    def measure(self, generation: Generation, baseline: Generation, golden: GoldenSet, **gate: float) -> Evaluation:
        """An evaluation that somebody orders by hand, carried out."""
        with self.indexes.platform.database.begin() as connection:
            made, _ = evaluations.start(
                connection,
                golden_set_id=golden.id,
                generation_id=generation.id,
                baseline_id=baseline.id,
                gate=gate,
                created_by="t",
            )
        self.judge()
        with self.indexes.platform.database.begin() as connection:
            found = evaluations.get(connection, made)
        assert found is not None
        return found

    def refusal(self, generation: Generation) -> str:
        """Why it may not go live."""
        with pytest.raises(Conflict) as refused:
            self.indexes.promote(generation.id)
        return refused.value.code


@pytest.fixture
def gated(platform: Platform) -> Iterator[Gated]:
    """Everyone may read; the default model, and beside it one whose vectors are cut to almost nothing."""
    with open_indexes(platform) as indexes:
        documents = {question: indexes.write(answer) for question, answer in ANSWERS.items()}
        platform.__dict__["_other_embedders"] = {"worse": TruncatedEmbedder(platform.embedder, 2)}
        questions = [WantedQuestion(text, [WantedDocument(id=document)]) for text, document in documents.items()]
        with platform.database.begin() as connection:
            policy_id = connection.execute(sa.text("SELECT policy_id FROM spaces")).scalar_one()
            replace_policy(connection, policy_id, Policy(frozenset({Grant("everyone", Role.READER)})))
            made = users.create_user(
                connection, name="u", display_name="u", email=None, clearance=Classification.PUBLIC, is_admin=False
            )
            asker = resolve_caller(connection, made.id)
            assert asker is not None
            golden = create_set(connection, asker, WantedSet("answers", questions), max_query_chars=100)
        yield Gated(indexes, golden)


def test_an_index_as_good_as_the_live_one_goes_live(gated: Gated) -> None:
    built = gated.indexes.build(max_tokens=128, gate=GateOrder("answers", None, 0.02))
    assert gated.refusal(built) == "gate_pending"
    gated.judge()
    assert gated.indexes.promote(built.id).state is JobState.SUCCEEDED
    assert gated.indexes.works.generation.id == built.id


def test_a_worse_model_is_kept_out_and_no_easier_measurement_lets_it_in(gated: Gated) -> None:
    live = gated.indexes.works.generation
    built = gated.indexes.build(embedding="worse", gate=GateOrder("answers", None, 0.02))
    gated.judge()
    assert gated.refusal(built) == "gate_refused"
    with gated.indexes.platform.database.begin() as connection:
        judged = evaluations.latest_gate_of(connection, built.id)
    assert judged is not None
    assert judged.report is not None
    assert judged.report["refused_because"] == ["drop"]
    assert judged.report["drop"] > 0.2

    assert gated.measure(built, live, gated.golden, max_drop=1.0).passed is True
    assert gated.measure(built, built, gated.golden, max_drop=0.0).passed is True
    assert gated.refusal(built) == "gate_refused"
    assert gated.measure(built, live, gated.golden, max_drop=0.01).passed is False
    assert gated.refusal(built) == "gate_refused"
    assert gated.indexes.works.generation.id == live.id
