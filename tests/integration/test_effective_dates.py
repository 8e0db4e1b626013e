"""Versions with dates: what is in force is found, what is not is not, and every other day can be asked about."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ingestion.publish import Publisher, PublishStep
from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.metadata import documents
from kbcore.metadata.standpoint import AsOf
from services.query.pipeline import search
from services.query.request import SearchRequest
from tests.builders import Corpus

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def limit(amount: int) -> str:
    return f"# Hotels\n\nHotel costs are reimbursed up to {amount} yuan per night.\n"


@pytest.fixture
def corpus(platform: Platform) -> Corpus:
    built = Corpus.open(platform)
    built.space("public", "everyone")
    return built


@pytest.fixture
def person(corpus: Corpus) -> Caller:
    return corpus.person("li")


def revise(corpus: Corpus, document: str, amount: int, begin: datetime | None, end: datetime | None = None) -> int:
    with corpus.platform.database.begin() as connection:
        documents.update(connection, document, effective_from=begin, effective_to=end)
    return corpus.revise(document, "Travel policy", limit(amount))


def found(corpus: Corpus, person: Caller, as_of: AsOf = AsOf()) -> list[tuple[int, bool]]:
    """(version, current) of the passages of the search."""
    ranked = search(corpus.platform, person, SearchRequest("hotel costs per night", 10, as_of=as_of)).ranked
    return [(item.passage.version, item.passage.current) for item in ranked]


def seen_version(corpus: Corpus, document: str) -> int:
    with corpus.platform.database.begin() as connection:
        present = documents.get(connection, document)
    assert present is not None
    return present.version


def test_a_version_for_later_waits_for_its_day_while_the_present_one_answers(corpus: Corpus, person: Caller) -> None:
    document = corpus.add("public", "Travel policy", limit(600))
    revise(corpus, document, 750, NOW + DAY)
    assert found(corpus, person) == [(1, True)]
    assert seen_version(corpus, document) == 1
    assert found(corpus, person, AsOf(time=NOW + 2 * DAY)) == [(2, False)]
    assert found(corpus, person, AsOf(effective_at=NOW + 2 * DAY)) == [(2, False)]


def test_when_its_day_has_come_the_switch_needs_nobody_and_is_then_published(corpus: Corpus, person: Caller) -> None:
    document = corpus.add("public", "Travel policy", limit(600))
    revise(corpus, document, 750, NOW + DAY)
    publisher = Publisher(corpus.platform)
    publisher.publish_staged()
    with corpus.platform.database.begin() as connection:
        connection.execute(
            sa.text("UPDATE versions SET effective_from = now() - interval '1 millisecond' WHERE number = 2")
        )
    assert found(corpus, person) == [(2, False)]  # SQL decides by the date; no publication was needed
    publisher = Publisher(corpus.platform)  # one that has not looked at dates before
    publisher.publish_due()
    assert seen_version(corpus, document) == 2
    assert found(corpus, person) == [(2, True)]
    with corpus.platform.database.begin() as connection:
        ended = connection.execute(sa.text("SELECT valid_to FROM versions WHERE number = 1")).scalar_one()
        open_rows = connection.execute(sa.text("SELECT count(*) FROM chunks WHERE valid_to > 1000")).scalar_one()
    assert ended == 3
    assert open_rows == 1


def test_an_exception_for_some_days_ends_by_itself(corpus: Corpus, person: Caller) -> None:
    document = corpus.add("public", "Travel policy", limit(600))
    revise(corpus, document, 900, NOW - DAY, NOW + DAY)
    assert found(corpus, person) == [(2, True)]
    assert found(corpus, person, AsOf(effective_at=NOW + 2 * DAY)) == [(1, False)]
    with corpus.platform.database.begin() as connection:
        connection.execute(
            sa.text("UPDATE versions SET effective_to = now() - interval '1 millisecond' WHERE number = 2")
        )
    assert found(corpus, person) == [(1, False)]
    Publisher(corpus.platform).publish_due()
    assert found(corpus, person) == [(1, True)]
    assert seen_version(corpus, document) == 1


def test_a_document_that_is_not_in_force_yet_is_not_found(corpus: Corpus, person: Caller) -> None:
    document = corpus.add("public", "Travel policy", limit(600), effective=(NOW + DAY, None))
    assert found(corpus, person) == []
    assert seen_version(corpus, document) == 0
    assert found(corpus, person, AsOf(effective_at=NOW + DAY)) == [(1, False)]


def test_a_new_version_without_dates_of_its_own_replaces_the_old_one(corpus: Corpus, person: Caller) -> None:
    document = corpus.add("public", "Travel policy", limit(600), effective=(NOW - 9 * DAY, None))
    corpus.revise(document, "Travel policy", limit(750))
    assert found(corpus, person) == [(2, True)]
    with corpus.platform.database.begin() as connection:
        live = connection.execute(sa.text("SELECT count(*) FROM versions WHERE valid_to > 1000")).scalar_one()
    assert live == 1


def test_dated_history_that_was_loaded_today_can_be_asked_at_each_date(corpus: Corpus, person: Caller) -> None:
    years = [datetime(year, 1, 1, tzinfo=UTC) for year in (2019, 2021, 2024)]
    document = corpus.add("public", "Travel policy", limit(100), effective=(years[0], None))
    for amount, year in zip((200, 300), years[1:], strict=True):
        revise(corpus, document, amount, year)
    undated = corpus.add("public", "Guide", limit(50))
    assert {version for version, _ in found(corpus, person)} == {3, 1}
    for version, year in enumerate(years, start=1):
        # Before anything was recorded, the dates that versions carry say what held; what has none is left out.
        assert found(corpus, person, AsOf(time=year + DAY)) == [(version, version == 3)]
        of_document = [
            item.passage.version
            for item in search(
                corpus.platform, person, SearchRequest("hotel costs", 10, as_of=AsOf(effective_at=year + DAY))
            ).ranked
            if item.passage.document_id == document
        ]
        assert of_document == [version]
    assert found(corpus, person, AsOf(time=datetime(2018, 1, 1, tzinfo=UTC))) == []
    assert seen_version(corpus, undated) == 1


def test_the_epoch_of_an_answer_names_its_state_exactly(corpus: Corpus, person: Caller) -> None:
    document = corpus.add("public", "Travel policy", limit(600))
    epoch = search(corpus.platform, person, SearchRequest("hotel", 5)).standpoint.epoch
    corpus.revise(document, "Travel policy", limit(750))
    assert found(corpus, person, AsOf(epoch=epoch)) == [(1, False)]
    assert found(corpus, person, AsOf(epoch=epoch + 1)) == [(2, True)]
    assert found(corpus, person, AsOf(epoch=10**9)) == [(2, True)]
    assert found(corpus, person, AsOf(epoch=0)) == []


def test_dates_that_change_while_a_version_is_being_published_count(corpus: Corpus, person: Caller) -> None:
    document = corpus.add("public", "Travel policy", limit(600))
    corpus.revise(document, "Travel policy", limit(750), publish=False)

    def reached(step: PublishStep) -> None:
        if step is PublishStep.PLANNED and not changed:
            changed.append(step)
            with corpus.platform.database.begin() as connection:
                connection.execute(
                    sa.text("UPDATE versions SET effective_from = :begin WHERE number = 2"), {"begin": NOW + DAY}
                )

    changed: list[PublishStep] = []
    Publisher(corpus.platform, reached=reached).publish_staged()
    assert found(corpus, person) == [(1, True)]
    assert found(corpus, person, AsOf(effective_at=NOW + 2 * DAY)) == [(2, False)]
