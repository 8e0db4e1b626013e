"""Filter expressions: their meaning is `VectorFilter.accepts`, and nothing but integers and keys gets in."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbcore.domain.document import FOREVER, Classification
from kbcore.permissions.scope import ReadScope
from kbcore.vectors import milvus_filter
from kbcore.vectors.interface import VectorFilter, VectorStamp
from kbcore.vectors.rows import check_keys
from tests.contract.vector_rows import filters, stamps

NUMBER = r"-?\d+"
COMPARISON = rf"[a-z_]+ (?:(?:<=|>=|<|>|==) {NUMBER}|in \[{NUMBER}(?:, {NUMBER})*\])"
GRAMMAR = re.compile(rf"{COMPARISON}(?: and {COMPARISON})*")


def holds(expression: str, stamp: VectorStamp) -> bool:
    """The expression's meaning for one row, read as a conjunction of comparisons."""
    values = {name: getattr(stamp, name) for name in milvus_filter.STAMP_FIELDS}

    def one(comparison: str) -> bool:
        name, operator, operand = comparison.split(" ", 2)
        if operator == "in":
            return values[name] in {int(number) for number in operand.strip("[]").split(",")}
        left, right = values[name], int(operand)
        return {"<=": left <= right, ">=": left >= right, "<": left < right, ">": left > right, "==": left == right}[
            operator
        ]

    return all(one(comparison) for comparison in expression.split(" and "))


@given(filters, stamps())
def test_the_expression_means_what_the_filter_means(where, stamp):
    if where.matches_nothing:
        with pytest.raises(ValueError, match="empty set"):
            milvus_filter.readable(where)
        assert not where.accepts(stamp)
    else:
        expression = milvus_filter.readable(where)
        assert GRAMMAR.fullmatch(expression)
        assert holds(expression, stamp) == where.accepts(stamp)


@given(st.integers(0, 6), stamps())
def test_the_undo_expressions(epoch, stamp):
    assert holds(milvus_filter.begun_after(epoch), stamp) == (stamp.valid_from > epoch)
    assert holds(milvus_filter.ended_after(epoch), stamp) == (
        stamp.valid_from <= epoch and epoch < stamp.valid_to < FOREVER
    )
    assert holds(milvus_filter.everything(), stamp)


@given(st.text(max_size=140))
def test_only_chunk_keys_are_quoted(key):
    try:
        check_keys([key])
    except ValueError:
        with pytest.raises(ValueError, match="not a chunk key"):
            milvus_filter.keys([key])
    else:
        assert re.fullmatch(r'id in \["[A-Za-z0-9_-]{1,128}"\]', milvus_filter.keys([key]))


@pytest.mark.parametrize("keys", [["a'b"], ['a"b'], ["a b"], ["a\n"], ["\u0661"], ["ａ"], [""], ["ok", "not ok"]])
def test_hostile_keys_are_refused(keys):
    with pytest.raises(ValueError, match="not a chunk key"):
        milvus_filter.keys(keys)


def test_no_keys_are_refused():
    with pytest.raises(ValueError, match="empty set"):
        milvus_filter.keys([])


@pytest.mark.parametrize("value", ["1 or 1 == 1", 1.5, None, True])
def test_only_integers_enter(value):
    with pytest.raises(TypeError, match="only integers"):
        milvus_filter.of_document(value)
    with pytest.raises(TypeError, match="only integers"):
        milvus_filter.readable(VectorFilter(ReadScope(frozenset({value}), Classification.PUBLIC), 1))
    with pytest.raises(TypeError, match="only integers"):
        milvus_filter.readable(VectorFilter(ReadScope(frozenset({1}), Classification.PUBLIC), value))


def test_an_integer_in_disguise_is_written_as_a_number():
    where = VectorFilter(ReadScope(frozenset({7}), Classification.CONFIDENTIAL), 5)
    assert milvus_filter.readable(where) == "policy_id in [7] and level <= 2 and valid_from <= 5 and valid_to > 5"
