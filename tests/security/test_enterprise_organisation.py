"""A real organisation: 1,260 people with departments, levels and bosses, and who may read which of its papers."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kbcore.bootstrap import Platform
from kbcore.metadata.database import Database
from kbcore.settings import load_settings
from kbcore.vectors.memory import MemoryStore
from tests.builders import Corpus
from tests.security.enterprise.installed import install
from tests.security.enterprise.organisation import read_organisation
from tests.security.enterprise.rule import may_read
from tests.security.enterprise.trial import try_people
from tests.security.leak_trial.lying import LettersEmbedder
from tests.servers.application import serving

pytestmark = pytest.mark.data


def test_nobody_reads_what_the_company_does_not_allow(
    shared_data: Path, tmp_path: Path, database: Database, postgres_url: str, redis_url: str
) -> None:
    settings = {"ZHIKU_HOME": str(tmp_path), "ZHIKU_DATABASE__URL": postgres_url, "ZHIKU_REDIS__URL": redis_url}
    platform = Platform(load_settings(settings))
    embedder: Any = LettersEmbedder()
    platform.__dict__.update(database=database, vectors=MemoryStore(), embedder=embedder, embedding_model=embedder)
    company = install(read_organisation(shared_data, every=40), Corpus.open(platform))
    with serving(platform) as url:
        found = try_people(company, url, random.Random(1), people=25, questions=4)
    assert not found.leaks, found.leaks[:3]
    assert not found.hidden, found.hidden[:3]
    assert found.passages > 500


def test_the_rule_tells_people_apart(shared_data: Path) -> None:
    company = read_organisation(shared_data, every=40)
    readers = Counter(
        paper.kind for paper in company.papers for person in company.staff if may_read(company, person, paper)
    )
    kinds = Counter(paper.kind for paper in company.papers)
    assert all(readers[kind] < kinds[kind] * len(company.staff) for kind in kinds if kind not in ("policy", "post"))
    assert set(readers) == set(kinds)
