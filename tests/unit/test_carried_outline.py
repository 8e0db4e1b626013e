"""The outline of an edited text: nothing lost, in order, and what was left alone is what it was."""

from hypothesis import given
from hypothesis import strategies as st

from kbcore.domain.chunk import ElementKind, Span, StoredText
from kbcore.revisions.outline import carried_outline

HEADING, TEXT, ITEM, TABLE, CODE = (
    ElementKind.HEADING, ElementKind.TEXT, ElementKind.LIST_ITEM, ElementKind.TABLE, ElementKind.CODE,
)  # fmt: skip
WORDS = st.sampled_from(["年假五天。", "x = 1", "a | b", "Chapter", "  indented", "y\nz", "1 | 2\n3 | 4"])


def assembled(*elements: tuple[ElementKind, str]) -> StoredText:
    """As the clean stage puts a text together; element n is on page n // 3."""
    parts, spans, at = [], [], 0
    for number, (kind, text) in enumerate(elements):
        if spans:
            parts.append("\n" if kind is ITEM is spans[-1].kind else "\n\n")
            at += len(parts[-1])
        depth = number % 3 + 1 if kind is HEADING else None
        spans.append(Span(kind, at, at + len(text), number // 3 + 1, depth))
        parts.append(text)
        at += len(text)
    return StoredText("".join(parts), tuple(spans))


STORED = st.lists(st.tuples(st.sampled_from([HEADING, TEXT, ITEM, TABLE, CODE]), WORDS), max_size=8).map(
    lambda elements: assembled(*elements)
)
EDITED = st.lists(st.one_of(WORDS, st.just(""), st.just("new")), max_size=14).map("\n".join)


def shown(text: str, outline: tuple[Span, ...]) -> list[tuple[ElementKind, str]]:
    return [(span.kind, text[span.start : span.end]) for span in outline]


@given(STORED, EDITED)
def test_the_spans_are_in_order_and_hold_every_visible_character(stored: StoredText, text: str) -> None:
    outline = carried_outline(stored, text)
    at = 0
    for span in outline:
        assert text[at : span.start].strip() == ""
        assert text[span.start : span.end].strip()
        at = span.end
    assert text[at:].strip() == ""


@given(STORED)
def test_a_text_that_was_not_edited_keeps_its_outline(stored: StoredText) -> None:
    assert carried_outline(stored, stored.text) == stored.outline


@given(STORED, st.integers(0, 8))
def test_elements_beside_a_new_paragraph_keep_kind_page_and_depth(stored: StoredText, at: int) -> None:
    places = [0, *(span.end for span in stored.outline)]
    place = places[min(at, len(places) - 1)]
    new = "\n\nA paragraph of its own.\n\n"
    text = stored.text[:place] + new + stored.text[place:]
    outline = carried_outline(stored, text)
    moved = [
        Span(s.kind, s.start + len(new) * (s.start >= place), s.end + len(new) * (s.start >= place), s.page, s.depth)
        for s in stored.outline
    ]
    assert [span for span in outline if "of its own" not in text[span.start : span.end]] == moved
    assert [span.kind for span in outline if "of its own" in text[span.start : span.end]] == [TEXT]


def test_changed_lines_stay_what_they_were_and_new_ones_join_their_neighbours() -> None:
    old = assembled(
        (HEADING, "假期"), (ITEM, "年假五天"), (ITEM, "病假十天"), (TABLE, "级别 | 天数\nA | 5"), (TEXT, "完。")
    )
    text = "假期规定\n\n年假十天\n病假十天\n事假三天\n\n级别 | 天数\nA | 6\nB | 8\n\n另起一段。\n\n完。"
    assert shown(text, carried_outline(old, text)) == [
        (HEADING, "假期规定"),
        (ITEM, "年假十天"),
        (ITEM, "病假十天"),
        (ITEM, "事假三天"),
        (TABLE, "级别 | 天数\nA | 6\nB | 8"),
        (TEXT, "另起一段。"),
        (TEXT, "完。"),
    ]
