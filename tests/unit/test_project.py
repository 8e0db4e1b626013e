"""A document's rows from its versions: whatever the history, every epoch reads as the version of that epoch says."""

from hypothesis import given
from hypothesis import strategies as st

from ingestion.index.project import PublishedVersion, project
from kbcore.domain.chunk import Chunk, ElementKind
from kbcore.domain.document import FOREVER


def chunks(texts: list[str]) -> list[Chunk]:
    made, start = [], 0
    for ordinal, text in enumerate(texts):
        made.append(Chunk(ordinal, start, start + len(text), text, (), None, ElementKind.TEXT, "en", 1, text))
        start += len(text)
    return made


def version(number: int, valid_from: int, valid_to: int, texts: list[str]) -> PublishedVersion:
    return PublishedVersion(number, valid_from, valid_to, chunks(texts))


HISTORY = st.lists(
    st.tuples(st.integers(1, 12), st.integers(1, 12), st.lists(st.sampled_from("abcd"), max_size=5)), max_size=6
)


@given(HISTORY)
def test_every_epoch_reads_as_its_versions_say(history: list[tuple[int, int, list[str]]]) -> None:
    versions = [
        version(number, begin, begin + length, texts) for number, (begin, length, texts) in enumerate(history, start=1)
    ]
    projection = project("d", versions)
    rows = {row.id: row for row in projection.rows}
    assert len(rows) == len(projection.rows)
    for each in versions:
        placed = sorted(
            (place for place in projection.places if place.version == each.number), key=lambda p: p.chunk.ordinal
        )
        assert [place.chunk for place in placed] == list(each.chunks)
        assert len({place.row_id for place in placed}) == len(placed)
        for place in placed:
            row = rows[place.row_id]
            assert row.chunk.embedded_text == place.chunk.embedded_text
            assert row.valid_from <= each.valid_from
            assert row.valid_to >= each.valid_to


@given(HISTORY)
def test_no_row_is_valid_when_no_version_has_it(history: list[tuple[int, int, list[str]]]) -> None:
    versions = [
        version(number, begin, begin + length, texts) for number, (begin, length, texts) in enumerate(history, start=1)
    ]
    for row in project("d", versions).rows:
        for epoch in range(row.valid_from, row.valid_to):
            assert any(
                each.valid_from <= epoch < each.valid_to and row.chunk.text in [chunk.text for chunk in each.chunks]
                for each in versions
            )


def test_a_passage_that_stays_is_one_row_and_one_that_comes_back_is_two() -> None:
    projection = project(
        "d",
        [version(1, 1, 2, ["same", "old"]), version(2, 2, 3, ["same"]), version(3, 3, FOREVER, ["old", "same"])],
    )
    spans = sorted((row.chunk.text, row.valid_from, row.valid_to) for row in projection.rows)
    assert spans == [("old", 1, 2), ("old", 3, FOREVER), ("same", 1, FOREVER)]
    assert {row.id for row in projection.rows} == {"d-1-0", "d-1-1", "d-3-0"}
