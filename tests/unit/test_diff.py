"""What changed between two texts: complete, exact, and as a reader would say it."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from kbcore.domain.chunk import ElementKind, Span, StoredText
from services.library.diff import Change, ChangeKind, TextDiff, diff

WORDS = st.lists(st.sampled_from(["年假五天", "差旅标准", "alpha", "beta gamma", "表 | 一", "x"]), max_size=14)


def stored(passages: list[str], headings: tuple[str, ...] = ()) -> StoredText:
    spans, at = [], 0
    for text in passages:
        heading = text in headings
        spans.append(
            Span(ElementKind.HEADING if heading else ElementKind.TEXT, at, at + len(text), 1, 1 if heading else None)
        )
        at += len(text) + 2
    return StoredText("\n\n".join(passages), tuple(spans))


def said(found: TextDiff) -> list[tuple[str, str | None, str | None]]:
    text = lambda passage: None if passage is None else passage.text  # noqa: E731
    return [(change.kind.value, text(change.before), text(change.after)) for change in found.changes]


def after_of(before: list[str], found: TextDiff, size: int) -> Counter[str]:
    """The passages of the new text that applying the changes to the old one gives."""
    rest = Counter(before)
    for change in found.changes:
        if change.before is not None:
            rest[change.before.text] -= 1
        if change.after is not None:
            rest[change.after.text] += 1
    assert size == sum(rest.values())
    return +rest


@given(WORDS, WORDS)
def test_every_passage_of_either_text_is_told_of_once(before: list[str], after: list[str]) -> None:
    a, b = stored(before), stored(after)
    found = diff(a, b)
    for text, own in ((a, lambda change: change.before), (b, lambda change: change.after)):
        told = [own(change) for change in found.changes if own(change) is not None]
        places = [(passage.start, passage.end) for passage in told]
        assert len(set(places)) == len(places)
        assert set(places) <= {(span.start, span.end) for span in text.outline}
        assert len(places) + found.unchanged == len(text.outline)
        assert all(text.text[passage.start : passage.end] == passage.text for passage in told)
    assert after_of(before, found, len(after)) == Counter(after)


@given(WORDS, WORDS)
def test_each_kind_has_the_sides_that_it_says(before: list[str], after: list[str]) -> None:
    for change in diff(stored(before), stored(after)).changes:
        assert (change.before is None) == (change.kind is ChangeKind.ADDED)
        assert (change.after is None) == (change.kind is ChangeKind.REMOVED)
        assert _reads_the_same(change) == (change.kind is ChangeKind.MOVED)


def _reads_the_same(change: Change) -> bool:
    return change.before is not None and change.after is not None and change.before.text == change.after.text


@given(WORDS)
def test_a_text_does_not_differ_from_itself(passages: list[str]) -> None:
    assert diff(stored(passages), stored(passages)) == TextDiff((), len(passages))


def test_a_reworded_rule_is_changed_even_where_it_crossed_another() -> None:
    before = ["员工每年享有五天带薪年假。", "迟到三次记警告一次。", "差旅须事先批准。", "本制度由人事部解释。"]
    after = ["差旅须事先批准。", "员工每年享有十天带薪年假。", "本制度由人事部解释。", "自公布之日起施行。"]
    assert said(diff(stored(before), stored(after))) == [
        ("removed", "迟到三次记警告一次。", None),
        ("changed", "员工每年享有五天带薪年假。", "员工每年享有十天带薪年假。"),
        ("added", None, "自公布之日起施行。"),
    ]


def test_a_rule_that_stands_elsewhere_was_moved() -> None:
    rules = [f"第{number}条" for number in range(6)]
    found = diff(stored(rules), stored([*rules[1:], rules[0]]))
    assert said(found) == [("moved", "第0条", "第0条")]
    assert found.unchanged == 5


def test_headings_above_a_passage_are_named() -> None:
    before, after = ["总则", "一。", "假期", "年假五天。"], ["总则", "一。", "假期", "年假五天。", "病假十天。"]
    (added,) = diff(stored(before, ("总则", "假期")), stored(after, ("总则", "假期"))).changes
    assert added.after is not None
    assert (added.after.heading, added.after.page) == (("假期",), 1)


def test_five_thousand_passages_of_which_every_tenth_is_new() -> None:
    before = [f"第{number}条 本条规定第{number * 7919 % 5000}号事项的办理期限。" for number in range(5000)]
    after = [f"{text}另有规定的除外。" if number % 10 == 0 else text for number, text in enumerate(before)]
    found = diff(stored(before), stored(after))
    assert (found.unchanged, found.count(ChangeKind.CHANGED), len(found.changes)) == (4500, 500, 500)
