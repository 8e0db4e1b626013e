import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.chunk.chunker import chunk
from kbcore.domain.chunk import Chunk, ElementKind, Span, StoredText

_TOKEN = re.compile(r"[\u3400-\u9fff]|[A-Za-z]{1,5}|\S")


def count(texts: Sequence[str]) -> list[int]:
    return [len(_TOKEN.findall(text)) for text in texts]


def uneven(texts: Sequence[str]) -> list[int]:
    """A counter whose wholes cost more than the sum of their parts: estimates must not be trusted."""
    return [n + n // 7 for n in count(texts)]


def stored(*parts: tuple[ElementKind, str] | tuple[ElementKind, str, int]) -> StoredText:
    text, spans = "", []
    previous: ElementKind | None = None
    for kind, words, *depth in parts:
        if text:
            text += "\n" if kind is previous is ElementKind.LIST_ITEM else "\n\n"
        start = len(text)
        text += words
        spans.append(Span(kind, start, len(text), page=len(spans) + 1, depth=depth[0] if depth else None))
        previous = kind
    return StoredText(text, tuple(spans))


def cut(document: StoredText, max_tokens: int = 64, min_tokens: int = 8, title: str = "手册") -> list[Chunk]:
    return chunk(document, title=title, count_tokens=count, max_tokens=max_tokens, min_tokens=min_tokens)


H, T, L, B, C = (
    ElementKind.HEADING,
    ElementKind.TEXT,
    ElementKind.LIST_ITEM,
    ElementKind.TABLE,
    ElementKind.CODE,
)


def test_chunks_follow_headings_and_carry_their_path() -> None:
    document = stored((H, "第一章", 1), (H, "第一节", 2), (T, "甲" * 20), (H, "第二章", 1), (T, "乙" * 20))
    first, second = cut(document)
    assert (first.heading, first.text, first.page) == (("第一章", "第一节"), "甲" * 20, 3)
    assert (second.heading, second.text) == (("第二章",), "乙" * 20)
    assert first.embedded_text == "手册 > 第一章 > 第一节\n" + "甲" * 20


def test_small_neighbours_are_joined_only_under_the_same_heading() -> None:
    document = stored((H, "一"), (T, "短。"), (T, "也短。"), (H, "二"), (T, "短。"))
    assert [c.text for c in cut(document)] == ["短。\n\n也短。", "短。"]


def test_paragraphs_above_the_minimum_stand_alone() -> None:
    document = stored((T, "甲" * 20), (T, "乙" * 20))
    assert len(cut(document)) == 2


def test_a_lead_in_stays_with_its_list() -> None:
    document = stored((T, "甲" * 12), (T, "包括："), (L, "- 年假" + "子" * 20), (L, "- 病假" + "丑" * 20))
    assert [c.text.split("\n")[0] for c in cut(document, max_tokens=56)] == ["甲" * 12, "包括："]


def test_a_table_that_fits_is_whole_and_one_that_does_not_repeats_its_header() -> None:
    rows = ["| 姓名 | 天数 |", *(f"| 张{n} | {n} |" for n in range(30))]
    document = stored((B, "\n".join(rows)))
    assert len(cut(document, max_tokens=1000)) == 1
    chunks = cut(document, max_tokens=64)
    assert len(chunks) > 2
    for later in chunks[1:]:
        assert later.embedded_text.startswith("手册\n| 姓名 | 天数 |\n| 张")
        assert not later.text.startswith("| 姓名")
        assert later.text == document.text[later.start : later.end]
    assert [row for c in chunks for row in c.text.split("\n")] == rows


def test_long_paragraphs_are_cut_at_sentence_ends_into_even_parts() -> None:
    document = stored((T, "".join(f"这是第{n}句话而已。" for n in range(10))))
    chunks = cut(document, max_tokens=50)
    assert all(c.text.endswith("。") for c in chunks)
    assert max(c.tokens for c in chunks) - min(c.tokens for c in chunks) <= 20


def test_long_sentences_are_cut_at_clauses_then_words_then_anywhere() -> None:
    assert all(c.text.endswith("，") for c in cut(stored((T, ("甲" * 20 + "，") * 8)), max_tokens=32))
    assert all(" " not in c.text[:1] for c in cut(stored((T, "word " * 200)), max_tokens=32))
    assert "".join(c.text for c in cut(stored((T, "x" * 5000)), max_tokens=32)) == "x" * 5000


def test_a_family_emoji_and_combining_marks_are_not_torn() -> None:
    cluster = "👩\u200d👩\u200d👧"
    chunks = cut(stored((T, cluster * 200)), max_tokens=32, title="")
    assert all(c.text.startswith("👩") and c.text.endswith("👧") for c in chunks)


def test_a_heading_with_nothing_below_it_is_still_indexed() -> None:
    document = stored((H, "议程", 1), (H, "谢谢", 1))
    chunks = cut(document, min_tokens=0)
    assert [c.text for c in chunks] == ["议程", "谢谢"]


def test_an_empty_document_has_no_chunks() -> None:
    assert cut(StoredText("", ())) == []


def test_headings_longer_than_the_budget_are_shortened() -> None:
    document = stored((H, "章" * 500, 1), (H, "节" * 20, 2), (T, "正文。" * 40))
    chunks = cut(document)
    assert max(c.tokens for c in chunks) <= 64
    assert "节" in chunks[0].embedded_text
    assert chunks[0].heading == ("章" * 500, "节" * 20)


def test_language_is_per_chunk() -> None:
    document = stored(
        (T, "年假五天，可以结转到下一年。"), (T, "Annual leave is five days and carries over to next year.")
    )
    assert [c.language for c in cut(document, min_tokens=0)] == ["zh", "en"]


_WORDS = st.text(st.sampled_from("年假五天。，；：？“”（）ab A.1,\n|-é́👩\u200d"), min_size=1, max_size=200)
_PART = st.tuples(st.sampled_from([H, T, T, L, B, C]), _WORDS.filter(str.strip).map(str.strip), st.integers(1, 3))


@settings(max_examples=300, deadline=None)
@given(st.lists(_PART, max_size=12), st.integers(32, 80), st.integers(0, 40), st.booleans(), st.text(max_size=60))
def test_invariants(
    parts: list[tuple[ElementKind, str, int]], max_tokens: int, min_tokens: int, additive: bool, title: str
) -> None:
    document = stored(*parts)
    counter = count if additive else uneven
    chunks = chunk(document, title=title, count_tokens=counter, max_tokens=max_tokens, min_tokens=min_tokens)
    covered = [False] * len(document.text)
    last = 0
    for number, c in enumerate(chunks):
        assert c.ordinal == number
        assert last <= c.start < c.end
        assert c.text == document.text[c.start : c.end]
        assert c.text == c.text.strip() != ""
        assert c.embedded_text.endswith(c.text)
        assert c.tokens == counter([c.embedded_text])[0]
        assert c.tokens <= max_tokens
        covered[c.start : c.end] = [True] * (c.end - c.start)
        last = c.end
    for span in document.outline:
        if span.kind is not H:
            missed = "".join(document.text[i] for i in range(span.start, span.end) if not covered[i])
            assert missed.strip() == ""
    assert chunks == chunk(document, title=title, count_tokens=counter, max_tokens=max_tokens, min_tokens=min_tokens)


@pytest.mark.parametrize("text", ["中文内容很长，没有停顿。" * 3000, "no stop here " * 8000, "甲" * 60000])
def test_one_huge_paragraph_needs_few_counting_rounds(text: str) -> None:
    calls = 0

    def counting(texts: Sequence[str]) -> list[int]:
        nonlocal calls
        calls += 1
        return count(texts)

    document = stored((T, text.strip()))
    chunks = chunk(document, title="t", count_tokens=counting, max_tokens=256, min_tokens=48)
    assert sum(len(c.text) for c in chunks) > 0.9 * len(text)
    assert calls <= 12
