"""The trial itself on trial: each condition taken out of one statement must be found out."""

import random
import re
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy.sql.elements import TextClause

from kbcore.metadata import documents, ledger, passages, visible_jobs
from kbcore.metadata.database import Database
from tests.security.leak_trial.driver import Size, Trial, prepared
from tests.security.leak_trial.moves import KEPT, Order, body_of
from tests.security.leak_trial.world import Entry, World

TINY = Size(people=8, groups=3, spaces=2, documents=12, steps=0, probes=8, storm_s=0)
LEVEL = "d.classification <= (SELECT clearance FROM asker)"
POLICY = "COALESCE(d.own_policy_id, s.policy_id) IN (SELECT policy_id FROM readable_policies)"
THERE = "d.deleted_at IS NULL"


def loosened(statement: TextClause, condition: str, instead: str) -> TextClause:
    """The statement with a condition replaced."""
    assert condition in statement.text
    changed = statement._clone()
    changed.text = statement.text.replace(condition, instead)
    return changed


@pytest.mark.parametrize(
    ("module", "name", "condition", "instead", "path"),
    [
        (passages, "_CONFIRM", LEVEL, "true", "LEAK: .*search"),
        (passages, "_CONFIRM", POLICY, "true", "LEAK: .*search"),
        (passages, "_CONFIRM", THERE, "true", "LEAK: .*search"),
        (passages, "_CONFIRM", LEVEL, LEVEL.replace("<=", "<"), "WRONGLY HIDDEN: .*search"),
        (documents, "_GET_READABLE", LEVEL, "true", "LEAK: .*(document|version|content)"),
        (documents, "_LIST_READABLE", POLICY, "true", "LEAK: .*documents list"),
        (passages, "_READABLE_DOCUMENTS", THERE, "true", "LEAK: .*conversations"),
        (ledger, "_RECEIVED", LEVEL, "true", "SUMS COUNT WHAT IS HIDDEN: .*ledger"),
        (visible_jobs, "_PAGE", LEVEL, "true", "LEAK: .*jobs list"),
    ],
)
def test_a_hole_is_found(
    module: ModuleType,
    name: str,
    condition: str,
    instead: str,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    database: Database,
    postgres_url: str,
    redis_url: str,
) -> None:
    monkeypatch.setattr(module, name, loosened(getattr(module, name), condition, instead))
    with prepared(random.Random(name).randrange(1000), TINY, tmp_path, database, postgres_url, redis_url) as trial:
        open_one(trial)
        for _ in range(5):  # rounds, until it is found
            trial.probe_all()
            for draw in (trial.mover.delete, trial.mover.clearance, trial.mover.entries, trial.mover.clearance):
                if (order := draw(trial.world)) is not None:
                    trial.carry_out(order)
            trial.probe_all()
            trial.settle()
            trial.check_all()
            if any(re.match(path, story) for story in trial.judge.faults):
                break
    assert any(re.match(path, story) for story in trial.judge.faults), trial.judge.faults[:2]


def open_one(trial: Trial) -> None:
    """One space is everybody's to change: only levels keep people from its documents."""
    policy = (KEPT, Entry("everyone", "editor"))

    def apply(after: World) -> None:
        after.spaces["space00"] = policy

    path, content = "/v1/spaces/space00/policy", {"json": body_of(policy)}
    trial.carry_out(Order("space00 is opened", {"space:space00"}, "PUT", path, content, apply))
