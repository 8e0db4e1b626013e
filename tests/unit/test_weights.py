"""Keyword weights: an inner product that is the covered share of a question's information."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbcore.language.weights import TERM_IDS, coverage, document_weights, pack, query_weights, term_id, unpack

words = st.lists(st.text(st.characters(categories=("L", "N")), min_size=1, max_size=6), max_size=40)


def test_term_ids_are_stable_across_processes_and_releases():
    """Stored rows carry them: a change here is a new index generation."""
    assert [term_id(term) for term in ("年假", "ex-900/2", "")] == [122733722, 293792044, 1036448615]


@given(st.text())
def test_term_ids_fit_a_sparse_index(term):
    assert 1 <= term_id(term) <= TERM_IDS


@given(words)
def test_packing_loses_nothing(terms):
    weights = document_weights(terms)
    assert unpack(pack(weights)) == weights
    assert len(pack(weights)) == 6 * len(weights)


def test_unpacking_rubbish_is_an_error():
    with pytest.raises(ValueError, match="buffer size"):
        unpack(b"12345")


def test_a_passage_without_terms():
    assert document_weights([]) == {}
    assert unpack(pack({})) == {}


@given(words, words, st.integers(0, 1000))
def test_coverage_is_between_0_and_1(question, passage, rows):
    rows_with_term = {term_id(term): 1 for term in passage}
    score = coverage(query_weights(question, rows_with_term, rows), document_weights(passage))
    assert 0 <= score <= 1
    assert (score > 0) == bool(set(question) & set(passage))


@given(words.filter(bool), st.integers(0, 10**6))
def test_query_weights_share_out_1(question, rows):
    weights = query_weights(question, {}, rows)
    assert sum(weights.values()) == pytest.approx(1)
    assert all(weight > 0 for weight in weights.values())


def test_an_empty_question_has_no_weights():
    assert query_weights([], {}, 100) == {}


def test_rare_terms_weigh_more_and_unknown_ones_most():
    weights = query_weights(["common", "rare", "unknown"], {term_id("common"): 900, term_id("rare"): 3}, 1000)
    assert weights[term_id("common")] < weights[term_id("rare")] < weights[term_id("unknown")]


def test_counts_ahead_of_the_row_count_do_no_harm():
    """The two figures are read from rows that a publication updates one after the other."""
    weights = query_weights(["everywhere", "rare"], {term_id("everywhere"): 12, term_id("rare"): 1}, 10)
    assert 0 < weights[term_id("everywhere")] < weights[term_id("rare")]


def test_repetition_saturates_and_length_discounts():
    def weight(count: int, others: int) -> float:
        return document_weights(["tax"] * count + ["other"] * others)[term_id("tax")]

    assert weight(1, 50) < weight(2, 49) < weight(20, 31) < 1
    assert weight(2, 49) - weight(1, 50) > weight(3, 48) - weight(2, 49)
    assert weight(1, 50) > weight(1, 300)
