"""Fusion: bounded, monotone, and independent of what else was found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.query.fuse import fuse

keys = st.sampled_from("abcdefgh")
dense_scores = st.dictionaries(keys, st.floats(-1, 1))
keyword_scores = st.dictionaries(keys, st.floats(0, 1))


def fused(dense: dict[str, float], keyword: dict[str, float], *, weight: float = 0.6) -> list[tuple[str, float]]:
    return fuse(dense, keyword, keyword_weight=weight, keyword_power=1.0)


@given(dense_scores, keyword_scores, st.floats(0, 1))
def test_every_candidate_once_best_first_and_at_most_1(dense, keyword, weight):
    ranked = fused(dense, keyword, weight=weight)
    assert sorted(key for key, _ in ranked) == sorted(dense.keys() | keyword.keys())
    assert ranked == sorted(ranked, key=lambda item: (-item[1], item[0]))
    assert all(score <= 1 for _, score in ranked)


@given(dense_scores, keyword_scores)
def test_a_score_does_not_depend_on_other_candidates(dense, keyword):
    for key, score in fused(dense, keyword):
        alone = fused({key: dense.get(key, 0.0)}, {key: keyword.get(key, 0.0)})
        assert alone == [(key, score)]


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1))
def test_better_evidence_never_lowers_a_score(cosine, other_cosine, coverage, other_coverage):
    low = fused({"a": min(cosine, other_cosine)}, {"a": min(coverage, other_coverage)})[0][1]
    high = fused({"a": max(cosine, other_cosine)}, {"a": max(coverage, other_coverage)})[0][1]
    assert low <= high


@given(dense_scores)
def test_without_keyword_evidence_the_score_is_the_cosine(dense):
    assert dict(fused(dense, {})) == pytest.approx(dense, abs=1e-12)


def test_an_exact_code_beats_its_near_duplicates():
    dense = {"ex-900": 0.861, "ex-901": 0.864, "ex-902": 0.862}
    keyword = {"ex-900": 0.62, "ex-901": 0.21, "ex-902": 0.20}
    assert fused(dense, keyword)[0][0] == "ex-900"


def test_a_chance_match_does_not_beat_a_clear_paraphrase():
    assert fused({"paraphrase": 0.91, "chance": 0.82}, {"chance": 0.15})[0][0] == "paraphrase"


def test_nothing_found():
    assert fused({}, {}) == []
