"""Your own cross-encoder by sentence-transformers, on CPU or GPU. Needs the extra `local` (0.9 GB)."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from kbcore.domain.document import Classification
from kbcore.errors import ConfigurationError
from kbcore.language.repair import repaired


class CrossEncoderReranker:
    """Reads question and passage together, so it is slow and good. Loads at first use; one call at a time."""

    def __init__(self, model: str, *, device: str = "") -> None:
        """`model` is a folder, or a name in the hub; empty `device` = the best there is."""
        self.name = Path(model).name
        self.allowed = Classification.RESTRICTED  # nothing leaves this process
        self._model = model
        self._device = device
        self._lock = Lock()
        self._made: Any = None

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """See `Reranker.score`."""
        if not passages:
            return []
        pairs = [(repaired(question), repaired(passage)) for passage in passages]
        with self._lock:
            if self._made is None:
                self._made = _load(self._model, self._device)
            scores = self._made.predict(pairs, show_progress_bar=False)
        return [float(score) for score in scores]


def _load(model: str, device: str) -> Any:
    try:
        from sentence_transformers import CrossEncoder  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            "rerank.kind is `cross_encoder`, which needs torch: pip install 'zhiku[local]'"
        ) from None
    try:
        encoder = CrossEncoder(model, device=device or None)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"rerank.model {model!r} cannot be loaded ({type(error).__name__}): name a folder with the model, "
            "or a name in the hub if this machine may reach it."
        ) from error
    if encoder.num_labels != 1:
        raise ConfigurationError(f"rerank.model {model!r} gives {encoder.num_labels} numbers for a passage, not one.")
    return encoder
