"""Vectors without their language."""

import numpy as np
import pytest

from kbcore.embedding.neutral import LanguageNeutralEmbedder, e5_language_axis, without
from tests.embedders import bundled

PAIRS = [
    ("员工入职满一年后每年享有10个工作日带薪年假。", "After one year employees get 10 working days of paid leave."),
    ("密码长度至少12位，每180天更换一次。", "Passwords need 12 characters and change every 180 days."),
    ("报销单须在费用发生后30天内提交。", "Expense claims must be filed within 30 days."),
]


def test_the_axis_is_a_unit_vector() -> None:
    assert np.linalg.norm(e5_language_axis()) == pytest.approx(1, abs=1e-6)


def test_what_is_left_has_unit_length_and_no_part_along_the_axis() -> None:
    vectors = np.random.default_rng(1).normal(size=(5, 384)).astype(np.float32)
    rest = without(e5_language_axis(), vectors)
    assert rest.dtype == np.float32
    assert np.allclose(np.linalg.norm(rest, axis=1), 1, atol=1e-6)
    assert np.allclose(rest @ e5_language_axis(), 0, atol=1e-6)


def test_translations_move_closer_and_the_name_says_so() -> None:
    model = bundled()
    neutral = LanguageNeutralEmbedder(model, e5_language_axis())
    assert neutral.name == f"{model.name}+neutral"
    for zh, en in PAIRS:
        before = model.embed_query(zh) @ model.embed_passages([en])[0]
        after = neutral.embed_query(zh) @ neutral.embed_passages([en])[0]
        assert after > before


def test_no_passages_give_no_vectors() -> None:
    assert LanguageNeutralEmbedder(bundled(), e5_language_axis()).embed_passages([]).shape == (0, 384)


def test_an_axis_of_another_model_is_refused() -> None:
    with pytest.raises(ValueError, match="dimensions"):
        LanguageNeutralEmbedder(bundled(), np.ones(3, np.float32))
