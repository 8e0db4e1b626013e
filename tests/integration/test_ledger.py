"""The ledger: received = indexed + skipped + failed + pending, from two counts that know nothing of each other."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from kbcore.bootstrap import Platform
from kbcore.domain.chunk import ElementKind, Span, StoredText
from kbcore.metadata import documents, jobs, ledger, versions
from kbcore.metadata.stock import measure
from kbcore.observability import metrics
from tests.api_server import Api
from tests.integration.ingesting import TEXT, Works, open_works

STEPS = 40


@pytest.fixture
def works(platform: Platform) -> Iterator[Works]:
    """An ingestion half that does what it is told."""
    with open_works(platform) as opened:
        yield opened


def books(works: Works) -> ledger.Balance:
    with works.platform.database.begin() as connection:
        return ledger.balance(connection)


def gauge(name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def totals(api: Api, **query: str) -> dict[str, Any]:
    found = api.admin.get("/v1/ledger", params=query).raise_for_status().json()
    for sums in (found["totals"], *found["spaces"], *found["sources"]):
        assert sums["received"] == sums["indexed"] + sums["skipped"] + sums["failed"] + sums["pending"]
    return dict(found)


@pytest.mark.parametrize("seed", [1, 2])
def test_random_histories_keep_the_books_balanced(works: Works, seed: int) -> None:
    chance = random.Random(seed)
    waiting: list[str] = []
    alive: list[str] = []
    received = 0
    for step in range(STEPS):
        match chance.choice(
            ["new", "new", "again", "empty", "broken", "run", "run", "run", "cancel", "delete", "retry"]
        ):
            case "new":
                document, _, job = works.upload(f"{TEXT}\n\nStep {step}.")
                alive.append(document)
            case "again" if alive:
                _, _, job = works.upload(f"{TEXT}\n\nAgain {step}.", chance.choice(alive))
            case "empty":
                _, _, job = works.upload(" \n" * step or " ")
            case "broken":
                job = upload_lost(works)
            case "run" if waiting:
                works.bench.run(waiting.pop(chance.randrange(len(waiting))))
                continue
            case "cancel" if waiting:
                works.cancel(chance.choice(waiting))
                continue
            case "delete" if alive:
                with works.platform.database.begin() as connection:
                    documents.mark_deleted(connection, alive.pop(), "t")
                continue
            case "retry":
                waiting += retried(works)
                continue
            case _:
                continue
        waiting.append(job)
        received += 1
        found = books(works)
        assert (found.received, found.imbalance) == (received, 0)
        assert sum(found.by_outcome.values()) == received
    _, _, stopped = works.upload(TEXT)
    works.cancel(stopped)
    for job in [*waiting, stopped, upload_lost(works), works.upload(f"{TEXT}\n\nThe last one.")[2]]:
        works.bench.run(job)
    received += 3
    found = books(works)
    assert (found.received, found.imbalance, found.by_outcome["pending"]) == (received, 0, 0)
    assert all(found.by_outcome[outcome] for outcome in ("indexed", "skipped", "failed")), found


def upload_lost(works: Works) -> str:
    """A job whose file is gone from the blob store."""
    document, _, job = works.upload("lost")
    works.execute(f"UPDATE versions SET sha256 = '{'0' * 64}' WHERE document_id = '{document}'")
    return job


def retried(works: Works) -> list[str]:
    with works.platform.database.begin() as connection:
        failed = [job.id for job in jobs.list_of(connection, limit=100) if job.state in ("failed", "cancelled")][:1]
    for job in failed:
        works.retry(job)
    return failed


@pytest.mark.parametrize(
    "break_it",
    [
        "DELETE FROM versions WHERE number = 1",
        "UPDATE versions SET state = 'lost' WHERE number = 1",
        "UPDATE documents SET latest_version = latest_version + 1",
    ],
)
def test_an_item_that_is_lost_is_seen(api: Api, break_it: str) -> None:
    api.space("hr", admin="manager")
    for number in range(2):
        api.upload(api.admin, "hr", b"a", external_id=f"d{number}")
        api.upload(api.admin, "hr", b"b", external_id=f"d{number}")
    with api.database.begin() as connection:
        measure(connection)
        assert gauge("zhiku_ledger_imbalance") == 0
        assert gauge("zhiku_ledger_items", outcome="received") == 4
        assert gauge("zhiku_ledger_items", outcome="pending") == 4
        connection.execute(sa.text(break_it))
        measure(connection)
    assert gauge("zhiku_ledger_imbalance") == 2
    broken = api.admin.get("/v1/ledger").json()["totals"]
    assert broken["received"] - sum(broken[outcome] for outcome in ledger.OUTCOMES) == 2


def test_a_surplus_does_not_hide_a_loss(api: Api) -> None:
    api.space("hr", admin="manager")
    first, second = (api.upload(api.admin, "hr", text)["document_id"] for text in (b"a", b"b"))
    with api.database.begin() as connection:
        moved = sa.text("UPDATE versions SET document_id = :second, number = 2 WHERE document_id = :first")
        connection.execute(moved, {"first": first, "second": second})
        found = ledger.balance(connection)
    assert (found.received, sum(found.by_outcome.values()), found.imbalance) == (2, 2, 2)


def test_sums_by_source(api: Api) -> None:
    for space in ("hr", "it"):
        api.space(space, admin="manager")
        for name in ("a", "b", "c"):
            api.upload(api.admin, space, name.encode(), external_id=name)
    api.upload(api.admin, "hr", b"second", external_id="a")
    with api.database.begin() as connection:
        connection.execute(sa.text("UPDATE documents SET source = 'wiki' WHERE external_id <> 'c'"))
        connection.execute(
            sa.text("UPDATE versions SET state = 'skipped', reason_code = 'superseded' WHERE number = 1")
        )
    found = totals(api)
    parts = {(row["space"], row["source"]): (row["received"], row["pending"]) for row in found["sources"]}
    assert parts == {("hr", None): (1, 0), ("hr", "wiki"): (3, 1), ("it", None): (1, 0), ("it", "wiki"): (2, 0)}
    assert {row["space"]: row["received"] for row in found["spaces"]} == {"hr": 4, "it": 3}
    wiki = totals(api, source="wiki")
    assert (wiki["totals"]["received"], {item["source"] for item in wiki["items"]}) == (5, {"wiki"})
    by_hand = totals(api, source="", space="hr")
    assert (by_hand["totals"]["received"], [item["external_id"] for item in by_hand["items"]]) == (1, ["c"])
    assert totals(api, source="nowhere")["totals"]["received"] == 0


def test_what_is_erased_is_counted_and_not_named(api: Api) -> None:
    api.space("hr", admin="manager")
    document = api.upload(api.admin, "hr", b"a")["document_id"]
    with api.database.begin() as connection:
        connection.execute(sa.text("UPDATE documents SET deleted_at = now(), erased_at = now(), title = ''"))
        connection.execute(sa.text("UPDATE versions SET state = 'skipped', reason_code = 'erased', title = ''"))
    found = totals(api)
    assert (found["totals"]["skipped"], found["items"]) == (1, [])
    assert found["reasons"] == [{"outcome": "skipped", "code": "erased", "items": 1}]
    assert document not in str(found)


def test_a_readers_sums_balance_too(api: Api) -> None:
    lina = api.person("lina", clearance="internal")
    api.space("hr", admin="manager", lina="reader")
    api.upload(api.admin, "hr", b"a")
    api.upload(api.admin, "hr", b"b", classification="restricted")
    sums = lina.get("/v1/ledger").json()["totals"]
    assert (sums["received"], sums["pending"]) == (1, 1)


def test_the_pages_of_a_version(api: Api) -> None:
    api.space("hr", admin="manager")
    document = api.upload(api.admin, "hr", b"a")["document_id"]
    path = f"/v1/documents/{document}/versions/1/ledger"
    before = api.admin.get(path).json()
    assert (before["outcome"], before["elements"], before["pages"], before["not_indexed"]) == ("pending", {}, [], [])
    outline = (
        Span(ElementKind.HEADING, 0, 5, 1, 1),
        Span(ElementKind.TEXT, 7, 20, 1),
        Span(ElementKind.TEXT, 22, 30, 3),
        Span(ElementKind.TABLE, 32, 40, 3),
    )
    counts = {"heading": 1, "text": 2, "table": 1, "header": 3, "footer": 4, "pages_without_text": 1}
    with api.database.begin() as connection:
        versions.store_text(
            connection, document, 1, StoredText("x" * 40, outline),
            media_type="application/pdf", title="t", language="en", pages=4, element_counts=counts,
        )  # fmt: skip
        connection.execute(
            sa.text("INSERT INTO generations (collection, embedding, dimension, chunking, state) "
                    "VALUES ('c', 'e', 8, '{}', 'live')")
        )  # fmt: skip
        connection.execute(
            sa.text("INSERT INTO chunks (generation_id, id, document_id, text, embedded_hash, language, tokens, terms) "
                    "VALUES (1, 'k', :id, '', '', 'en', 1, '')"), {"id": document}
        )  # fmt: skip
        connection.execute(
            sa.text('INSERT INTO version_chunks (generation_id, document_id, version, ordinal, chunk_id, start, "end", '
                    "heading, page, kind) VALUES (1, :id, 1, 0, 'k', 0, 20, '{}', 1, 'text')"), {"id": document}
        )  # fmt: skip
    found = api.admin.get(path).json()
    assert [(page["page"], page["elements"], page["characters"], page["chunks"]) for page in found["pages"]] == [
        (1, {"heading": 1, "text": 1}, 18, 1),
        (2, {}, 0, 0),
        (3, {"text": 1, "table": 1}, 16, 0),
        (4, {}, 0, 0),
    ]
    assert found["not_indexed"] == [
        {"why": "running_header", "items": 3, "pages": []},
        {"why": "running_footer", "items": 4, "pages": []},
        {"why": "page_without_text", "items": 2, "pages": [2, 4]},
    ]
    in_text = sum(sum(page["elements"].values()) for page in found["pages"])
    dropped = sum(item["items"] for item in found["not_indexed"] if item["why"] != "page_without_text")
    assert sum(found["elements"].values()) == in_text + dropped
