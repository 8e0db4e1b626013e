"""Versions made from versions, through the real worker: what is reused, what is kept, what readers see."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from kbcore.bootstrap import Platform
from kbcore.domain.chunk import ElementKind, StoredText
from kbcore.domain.document import Classification, Document, Origin, Version, VersionState
from kbcore.domain.job import JobState
from kbcore.domain.principal import EVERYONE, Caller
from kbcore.errors import Conflict, Unprocessable
from kbcore.metadata import chunks, documents, versions
from kbcore.revisions.outline import carried_outline
from services.library.change import change_document
from services.library.derive import Accepted
from services.library.revise import edit_text, reparse, roll_back
from tests.integration.ingesting import Works, open_works

EDITOR = Caller("t", "t", None, frozenset({EVERYONE}), Classification.RESTRICTED, is_admin=False)
PARTS = 100
TEXT = "\n\n".join(
    f"# 第{part}章\n\n" + f"第{part}章规定第{part}类事项的办理期限和材料。 Part {part} has rules. " * 6
    for part in range(PARTS)
)
TABLE = "# 假期\n\n年假五天。\n\n| 级别 | 天数 |\n|---|---|\n| A | 5 |\n\n病假十天。\n"


@pytest.fixture
def works(platform: Platform) -> Iterator[Works]:
    with open_works(platform) as works:
        yield works


def ingested(works: Works, text: str, document_id: str | None = None) -> tuple[str, int]:
    document, number, job = works.upload(text, document_id)
    works.bench.run(job)
    assert works.version(document, number).state is VersionState.INDEXED
    return document, number


def act(works: Works, document_id: str, work: Callable[[Connection, Document], Accepted | None]) -> Accepted | None:
    """Do something to a document as an editor, and let the worker finish it."""
    with works.platform.database.begin() as connection:
        document = documents.lock(connection, document_id)
        assert document is not None
        accepted = work(connection, document)
    if accepted is not None and accepted.job_id is not None:
        works.bench.run(accepted.job_id)
    return accepted


def roll(works: Works, document_id: str, to: int) -> Accepted:
    accepted = act(works, document_id, lambda connection, held: roll_back(connection, EDITOR, held, to, "back"))
    assert accepted is not None
    return accepted


def edit(works: Works, document_id: str, text: str) -> Accepted:
    accepted = act(works, document_id, lambda connection, held: edit_text(connection, EDITOR, held, text, "typo"))
    assert accepted is not None
    return accepted


def read_again(works: Works, document_id: str) -> Version:
    accepted = act(works, document_id, lambda connection, held: reparse(connection, EDITOR, held, None))
    assert accepted is not None
    return works.version(document_id, accepted.version)


def change(works: Works, document_id: str, **values: object) -> Accepted | None:
    return act(works, document_id, lambda connection, held: change_document(connection, EDITOR, held, values).version)


def stored(works: Works, document_id: str, number: int) -> StoredText:
    with works.platform.database.begin() as connection:
        text = versions.stored_text(connection, document_id, number)
    assert text is not None
    return text


def present(works: Works, document_id: str) -> Document:
    with works.platform.database.begin() as connection:
        document = documents.get(connection, document_id)
    assert document is not None
    return document


def chunk_ids(works: Works, document_id: str, number: int) -> list[str]:
    with works.platform.database.begin() as connection:
        placed = chunks.of_version(connection, works.generation.id, document_id, number)
    return [chunk.chunk_id for chunk in placed]


def as_an_older_loader_read(works: Works, document_id: str, number: int, text: str) -> None:
    """Put into SQL what a loader of the past would have made of the same bytes: one paragraph a line."""
    old = stored(works, document_id, number)
    with works.platform.database.begin() as connection:
        versions.store_text(
            connection,
            document_id,
            number,
            StoredText(text, carried_outline(old, text)),
            media_type="text/markdown",
            title="T",
            language="zh",
            pages=None,
            element_counts={},
        )


def test_one_percent_changed_embeds_one_percent(works: Works) -> None:
    document, _ = ingested(works, TEXT)
    before, whole = works.embedder.passages, chunk_ids(works, document, 1)
    _, number = ingested(works, TEXT.replace("第42类", "第四十二类"), document)
    assert before == len(whole) >= PARTS
    assert works.embedder.passages == before + 1
    assert len(set(chunk_ids(works, document, number)) - set(whole)) == 1
    works.assert_index_equals_sql()


def test_the_pace_of_an_upload_does_not_tell_that_another_document_says_the_same(works: Works) -> None:
    ingested(works, TABLE)
    once = works.embedder.passages
    ingested(works, TABLE)
    assert works.embedder.passages == 2 * once
    works.assert_index_equals_sql()


def test_a_rollback_equals_the_old_version_and_embeds_nothing(works: Works) -> None:
    document, _ = ingested(works, TABLE)
    change(works, document, tags=("old",))
    ingested(works, TABLE.replace("五天", "十天"), document)
    change(works, document, tags=("new",), title="New")
    before = works.embedder.passages
    parsers = works.bench._parsers[0]._documents
    accepted = roll(works, document, 2)
    made, target = works.version(document, accepted.version), works.version(document, 2)
    assert works.embedder.passages == before
    assert works.bench._parsers[0]._documents == parsers
    assert stored(works, document, made.number) == stored(works, document, 2)
    for name in ("sha256", "size", "title", "tags", "metadata", "effective_from", "media_type", "language", "pages"):
        assert getattr(made, name) == getattr(target, name)
    assert (made.origin, made.based_on, made.comment, made.state) == (
        Origin.ROLLBACK, 2, "back", VersionState.INDEXED,
    )  # fmt: skip
    shown = present(works, document)
    assert (shown.version, shown.title, shown.tags) == (made.number, "T", ("old",))
    assert roll(works, document, 2).unchanged
    assert roll(works, document, made.number).unchanged
    works.assert_index_equals_sql()


def test_only_a_version_that_was_read_can_be_gone_back_to(works: Works) -> None:
    document, _ = ingested(works, TABLE)
    _, empty, job = works.upload(" ", document)
    works.bench.run(job)
    assert works.version(document, empty).state is VersionState.SKIPPED
    with pytest.raises(Conflict) as refused:
        roll(works, document, empty)
    assert refused.value.code == "version_without_text"


def test_an_edit_is_a_version_with_the_same_bytes_and_the_outline_of_what_it_left_alone(works: Works) -> None:
    document, _ = ingested(works, TABLE)
    before = stored(works, document, 1)
    accepted = edit(works, document, before.text.replace("五天", "十五天"))
    made = works.version(document, accepted.version)
    assert (made.origin, made.based_on, made.comment) == (Origin.EDIT, 1, "typo")
    assert (made.sha256, made.state) == (works.version(document, 1).sha256, VersionState.INDEXED)
    after = stored(works, document, made.number)
    assert "年假十五天。" in after.text
    assert [(span.kind, span.depth) for span in after.outline] == [(span.kind, span.depth) for span in before.outline]
    assert ElementKind.TABLE in {span.kind for span in after.outline}
    assert present(works, document).version == made.number
    assert edit(works, document, after.text.replace("\n", "\r\n")).unchanged
    with pytest.raises(Unprocessable):
        edit(works, document, " \n ")


def test_a_correction_waits_for_the_version_on_its_way(works: Works) -> None:
    document, _, job = works.upload(TABLE)
    with pytest.raises(Conflict) as early:
        edit(works, document, "x")
    assert early.value.code == "version_in_progress"
    works.cancel(job)
    works.bench.run(job)
    with pytest.raises(Conflict) as nothing:
        read_again(works, document)
    assert nothing.value.code == "nothing_indexed"


def test_reading_the_same_bytes_again_changes_nothing(works: Works) -> None:
    document, _ = ingested(works, TABLE)
    before = works.embedder.passages
    version = read_again(works, document)
    assert (version.origin, version.state, version.reason_code) == (
        Origin.REPARSE, VersionState.SKIPPED, "unchanged",
    )  # fmt: skip
    edit(works, document, stored(works, document, 1).text.replace("五天", "十五天"))
    edited = present(works, document).version
    assert read_again(works, document).reason_code == "unchanged"
    assert present(works, document).version == edited
    assert works.embedder.passages == before + 1


def test_reading_again_keeps_the_edits_and_what_the_loader_reads_better(works: Works) -> None:
    document, _ = ingested(works, TABLE)
    as_now = stored(works, document, 1).text
    as_an_older_loader_read(works, document, 1, as_now.replace("病假十天", "病 假 十 天"))
    edit(works, document, stored(works, document, 1).text.replace("五天", "十五天"))
    change(works, document, tags=("kept",))
    version = read_again(works, document)
    assert (version.state, version.tags) == (VersionState.INDEXED, ("kept",))
    assert stored(works, document, version.number).text == as_now.replace("五天", "十五天")
    again = read_again(works, document)
    assert again.reason_code == "unchanged"
    works.assert_index_equals_sql()


def test_edits_are_kept_by_a_second_reading_too(works: Works) -> None:
    document, _ = ingested(works, TABLE)
    as_now = stored(works, document, 1).text
    as_an_older_loader_read(works, document, 1, as_now.replace("病假十天", "病 假 十 天"))
    edit(works, document, stored(works, document, 1).text.replace("五天", "十五天"))
    first = read_again(works, document)
    roll(works, document, first.based_on or 0)
    second = read_again(works, document)
    assert stored(works, document, second.number).text == stored(works, document, first.number).text


def test_an_edit_of_what_is_read_differently_now_is_a_conflict(works: Works) -> None:
    document, _ = ingested(works, TABLE)
    as_now = stored(works, document, 1).text
    as_an_older_loader_read(works, document, 1, as_now.replace("年假五天", "年 假 五 天"))
    edit(works, document, as_now.replace("年假五天", "年假十五天"))
    version = read_again(works, document)
    assert (version.state, version.reason_code) == (VersionState.FAILED, "edit_conflict")
    assert version.reason is not None
    assert "line 3 " in version.reason
    assert present(works, document).version == 2


def test_a_change_of_metadata_is_a_version_that_embeds_nothing(works: Works) -> None:
    document, _ = ingested(works, TABLE)
    before = works.embedder.passages
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=400)
    accepted = change(works, document, tags=("policy",), metadata={"region": "CN"}, effective_to=ends)
    assert accepted is not None
    made = works.version(document, accepted.version)
    assert (made.origin, made.based_on, made.state) == (Origin.METADATA, 1, VersionState.INDEXED)
    assert (made.tags, made.metadata, made.effective_to) == (("policy",), {"region": "CN"}, ends)
    assert works.version(document, 1).tags == ()
    assert works.embedder.passages == before
    assert chunk_ids(works, document, 2) == chunk_ids(works, document, 1)
    assert change(works, document, tags=("policy",)) is None
    retitled = change(works, document, title="新标题")
    assert retitled is not None
    assert works.version(document, retitled.version).title == present(works, document).title == "新标题"
    works.assert_index_equals_sql()


def test_a_change_before_the_first_reading_is_of_the_version_on_its_way(works: Works) -> None:
    document, number, job = works.upload(TABLE)
    assert change(works, document, tags=("early",), title="Early") is None
    works.bench.run(job)
    version = works.version(document, number)
    assert (version.tags, version.title, version.state) == (("early",), "Early", VersionState.INDEXED)
    assert present(works, document).latest_version == 1


def test_a_change_after_a_failure_is_of_the_version_in_force(works: Works) -> None:
    document, _ = ingested(works, TABLE)
    _, empty, job = works.upload(" ", document)
    works.bench.run(job)
    accepted = change(works, document, tags=("after",))
    assert accepted is not None
    made = works.version(document, accepted.version)
    assert (made.number, made.based_on, made.state) == (3, 1, VersionState.INDEXED)
    assert works.version(document, empty).tags == ("after",)


def test_a_correction_does_not_take_over_what_a_failed_version_said(works: Works) -> None:
    document, _ = ingested(works, TABLE)
    with works.platform.database.begin() as connection:
        documents.update(connection, document, effective_from=datetime.now(UTC) + timedelta(days=30), tags=["later"])
    _, empty, job = works.upload(" ", document)
    works.bench.run(job)
    assert works.version(document, empty).effective_from is not None
    accepted = edit(works, document, stored(works, document, 1).text.replace("五天", "十五天"))
    made = works.version(document, accepted.version)
    assert (made.effective_from, made.tags) == (None, ())
    assert present(works, document).version == made.number


def test_correcting_a_future_version_leaves_the_present_one_in_force(works: Works) -> None:
    document, _ = ingested(works, TABLE)
    with works.platform.database.begin() as connection:
        documents.update(connection, document, effective_from=datetime.now(UTC) + timedelta(days=30))
    _, future = ingested(works, TABLE.replace("五天", "十天"), document)
    accepted = edit(works, document, stored(works, document, future).text.replace("十天", "十二天"))
    assert works.version(document, accepted.version).based_on == future
    assert present(works, document).version == 1
    assert roll(works, document, 1).unchanged is False
    assert present(works, document).version == accepted.version + 1


def test_a_retry_reads_what_is_stored(works: Works) -> None:
    document, number, job = works.upload(TABLE)
    works.embedder.before = lambda: works.cancel(job)
    works.bench.run(job)
    assert works.job(job).state is JobState.CANCELLED
    works.retry(job)
    works.bench.run(job)
    assert works.bench._parsers[0]._documents == 1
    assert works.version(document, number).state is VersionState.INDEXED
