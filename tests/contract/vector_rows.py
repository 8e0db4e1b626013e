"""Random rows and filters for the vector store suite, small enough to collide often."""

import math
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from kbcore.domain.document import FOREVER, Classification
from kbcore.permissions.scope import ReadScope
from kbcore.vectors.interface import Vector, VectorFilter, VectorRow, VectorStamp

DIMENSION = 8
TERMS = (1, 2, 3, 7, 1_000_003, 2**31 + 11, 2**32 - 2)

keys = st.integers(0, 24).map(lambda n: f"doc_{n % 5}-1-{n}")
epochs = st.integers(0, 6)
weights = st.integers(1, 64).map(lambda n: n / 64)
sparse_vectors = st.dictionaries(st.sampled_from(TERMS), weights, max_size=4)


@st.composite
def unit_vectors(draw: st.DrawFn) -> Vector:
    """float32[DIMENSION] of unit length."""
    numbers = draw(st.lists(st.integers(-9, 9), min_size=DIMENSION, max_size=DIMENSION).filter(any))
    return np.asarray(numbers, dtype=np.float32) / np.float32(math.hypot(*numbers))


@st.composite
def stamps(draw: st.DrawFn) -> VectorStamp:
    """Stamps over few values; half of them are live."""
    return VectorStamp(
        document_key=draw(st.integers(1, 5)),
        space_key=draw(st.integers(1, 3)),
        policy_id=draw(st.integers(1, 4)),
        level=int(draw(st.sampled_from(Classification))),
        valid_from=draw(epochs),
        valid_to=draw(st.one_of(epochs, st.just(FOREVER))),
    )


rows = st.builds(VectorRow, chunk_id=keys, stamp=stamps(), dense=unit_vectors(), sparse=sparse_vectors)

filters = st.builds(
    VectorFilter,
    scope=st.builds(
        ReadScope,
        policy_ids=st.frozensets(st.integers(1, 5), max_size=4),
        clearance=st.sampled_from(Classification),
    ),
    epoch=epochs,
    space_keys=st.none() | st.frozensets(st.integers(1, 4), max_size=3),
    document_keys=st.none() | st.frozensets(st.integers(1, 6), max_size=4),
)


@dataclass(frozen=True, slots=True)
class Write:
    """One call of a method that changes a store."""

    method: str
    arguments: tuple[object, ...]
    options: dict[str, int] = field(default_factory=dict)


writes = st.one_of(
    st.builds(Write, st.just("upsert"), st.tuples(st.lists(rows, min_size=1, max_size=12))),
    st.builds(Write, st.just("upsert"), st.tuples(st.lists(rows, min_size=1, max_size=12))),
    st.builds(Write, st.just("close"), st.tuples(st.lists(keys, max_size=6), epochs)),
    st.builds(
        Write,
        st.just("restamp"),
        st.tuples(st.integers(1, 6)),
        st.fixed_dictionaries({"policy_id": st.integers(1, 4), "level": st.integers(0, 3)}),
    ),
    st.builds(Write, st.just("delete"), st.tuples(st.lists(keys, max_size=6))),
    st.builds(Write, st.just("delete_document"), st.tuples(st.integers(1, 6))),
    st.builds(Write, st.just("undo_after"), st.tuples(epochs)),
    st.builds(Write, st.just("flush"), st.just(())),
)
