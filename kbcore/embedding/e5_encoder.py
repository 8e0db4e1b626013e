"""Token ids to vectors: the encoder's graph in ONNX Runtime, the word table in the memory-mapped file."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kbcore.embedding.e5_graph import build_graph
from kbcore.embedding.e5_weights import E5Weights


class E5Encoder:
    """Building takes 0.3 s, so the graph is built in memory and never cached on disk. Thread-safe."""

    def __init__(self, weights: E5Weights, *, threads: int) -> None:
        from onnxruntime import InferenceSession, SessionOptions  # noqa: PLC0415

        hidden = weights.shape.hidden
        self._vocabulary = weights.vocabulary
        self._words = weights.matrix("emb.word", hidden)
        first_type = weights.floats("emb.type")[:hidden]
        self._positions = weights.floats("emb.pos").reshape(-1, hidden) + first_type
        options = SessionOptions()
        options.intra_op_num_threads = threads
        # Measured on 2 cores (ADR 0003): without the arena memory stays flat over texts of many lengths (270 instead
        # of 500 MB), and threads that spin while they wait slow each other down; neither costs throughput.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = InferenceSession(build_graph(weights), options, providers=["CPUExecutionProvider"])

    def run(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """float32[len(batch), hidden] from ids without special tokens, at most 510 of each text."""
        vocabulary = self._vocabulary
        length = max(map(len, batch)) + 2
        ids = np.full((len(batch), length), vocabulary.pad, np.int64)
        mask = np.zeros((len(batch), length), np.int32)
        for row, content in enumerate(batch):
            ids[row, : len(content) + 2] = [vocabulary.bos, *content, vocabulary.eos]
            mask[row, : len(content) + 2] = 1
        distinct, places = np.unique(ids, return_inverse=True)
        words = self._words.rows(distinct)[places.reshape(ids.shape)]
        output: NDArray[np.float32] = self._session.run(
            ["embedding"], {"vectors": words + self._positions[:length], "mask": mask}
        )[0]
        return output
