"""What workers do is in the audit log if and when it is true."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ingestion.publish import Publisher, PublishStep
from ingestion.purge import Purger
from ingestion.schedule import Housekeeper
from kbcore.bootstrap import Platform
from kbcore.metadata import publications
from kbcore.metadata.stock import measure_audit
from kbcore.observability.metrics import registry
from tests.integration.auditing import rows, tampering
from tests.integration.erasing import quietly
from tests.integration.ingesting import TEXT
from tests.integration.reindexing import Indexes, open_indexes
from tests.integration.test_publish import Killed, killed_at


@pytest.fixture
def indexes(platform: Platform) -> Iterator[Indexes]:
    with open_indexes(platform) as indexes:
        yield indexes


def told(indexes: Indexes) -> list[tuple[str, list[str], dict[str, object]]]:
    return [(row["kind"], row["documents"], row["detail"]) for row in rows(indexes.platform.database)]


def epoch(indexes: Indexes) -> int:
    with indexes.platform.database.begin() as connection:
        return publications.current_epoch(connection)


def test_publication_and_withdrawal(indexes: Indexes) -> None:
    document = indexes.write(TEXT)
    indexes.write("# Other\n\nThe second version says another thing.\n", document)
    indexes.delete(document)
    live = indexes.works.generation.id
    assert told(indexes) == [
        ("document.published", [document], {"epoch": 1, "index": live, "versions": [[document, 1]]}),
        ("document.published", [document], {"epoch": 2, "index": live, "versions": [[document, 2]]}),
        ("document.withdrawn", [document], {"epoch": 3}),
    ]
    assert epoch(indexes) == 3


def test_a_publication_that_was_killed_is_told_once_and_when_it_is_true(indexes: Indexes) -> None:
    document, _, job = indexes.works.upload(TEXT)
    killed = indexes.works.another_bench(killed_at(PublishStep.ROWS_CLOSED))
    with pytest.raises(Killed):
        killed.run(job)
    assert (told(indexes), epoch(indexes)) == ([], 0)
    Publisher(indexes.platform).publish_staged()
    assert [(kind, documents) for kind, documents, _ in told(indexes)] == [("document.published", [document])]
    assert epoch(indexes) == 1


def test_the_time_of_a_publication_is_not_before_its_record(indexes: Indexes) -> None:
    indexes.write(TEXT)
    with indexes.platform.database.begin() as connection:
        order = "SELECT p.committed_at >= e.at FROM publications p, audit_events e"
        assert connection.execute(sa.text(order)).scalars().all() == [True]


def test_a_failed_job_tells_its_code(indexes: Indexes) -> None:
    document, _, job = indexes.works.upload(TEXT)
    indexes.works.execute("UPDATE jobs SET attempts = 99")
    indexes.works.bench.run(job)
    detail = {"job": job, "kind": "ingest", "version": 1, "code": "worker_lost"}
    assert told(indexes) == [("job.failed", [document], detail)]


def test_another_index_goes_live_and_back_and_is_dropped(indexes: Indexes) -> None:
    indexes.write(TEXT)
    first = indexes.works.generation.id
    second = indexes.build().id
    indexes.promote(second)
    indexes.promote(first)
    switches = [(kind, detail) for kind, _, detail in told(indexes) if kind.startswith("index.")]
    assert switches == [
        ("index.promoted", {"index": second, "before": first}),
        ("index.rolled_back", {"index": first, "before": second}),
    ]


def test_what_is_purged_is_named(indexes: Indexes) -> None:
    document = indexes.write(TEXT)
    for word in ("two", "three"):
        indexes.write(f"# {word}\n\nThe version {word} says what it says.\n", document)
    indexes.works.execute("UPDATE spaces SET retention_versions = 1")
    space = indexes.works.space_id
    Purger(indexes.platform).purge_space(space, quietly)
    purged = [(documents, detail) for kind, documents, detail in told(indexes) if kind == "versions.purged"]
    assert purged == [([document], {"space": space, "versions": [[document, 1], [document, 2]]})]


def test_the_schedule_exports_the_head_until_somebody_changes_the_log(indexes: Indexes) -> None:
    indexes.write(TEXT)
    housekeeper = Housekeeper(indexes.works.bench)
    heads = indexes.platform.audit_heads
    housekeeper.export_head()
    housekeeper.export_head()
    assert [head.seq for head in heads.read() if head] == [1]
    indexes.write("# Other\n\nAnother document says another thing.\n")
    with tampering(indexes.platform.database) as connection:
        connection.execute(sa.text("UPDATE audit_events SET actor = 'u' WHERE seq = 2"))
    housekeeper.export_head()
    assert [head.seq for head in heads.read() if head] == [1]


def test_the_schedule_verifies_all_of_the_log_when_it_is_due(indexes: Indexes) -> None:
    indexes.write(TEXT)
    housekeeper = Housekeeper(indexes.works.bench)
    housekeeper.verify_audit()
    housekeeper.verify_audit()  # not due again
    assert [(kind, detail["ok"]) for kind, _, detail in told(indexes)[1:]] == [("audit.verified", True)]
    housekeeper.export_head()
    with tampering(indexes.platform.database) as connection:
        connection.execute(sa.text("UPDATE audit_events SET actor = 'u' WHERE seq = 1"))
        connection.execute(sa.text("UPDATE audit_cursors SET updated_at = updated_at - interval '25 hours'"))
    housekeeper.verify_audit()
    housekeeper.verify_audit()
    found = [detail["first_broken"] for kind, _, detail in told(indexes) if kind == "audit.verified"]
    assert found == [None, {"seq": 1, "why": "changed"}]
    with indexes.platform.database.begin() as connection:
        measure_audit(connection)
    assert 25 * 3600 <= (registry.get_sample_value("zhiku_audit_verified_seconds") or 0) < 26 * 3600
