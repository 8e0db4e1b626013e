"""Your own model by sentence-transformers, on CPU or GPU. Needs the extra `local` (0.9 GB)."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from kbcore.embedding.interface import Matrix
from kbcore.embedding.vectors import unit_rows
from kbcore.errors import ConfigurationError
from kbcore.language.repair import repaired

REVISION_FILES = ("*.json", "*.safetensors", "*.bin", "*.model", "*.txt")


class SentenceTransformersEmbedder:
    """Loads at first use. One call at a time: the library's tokenizers cannot be shared by threads."""

    def __init__(self, model: str, *, device: str, query_prefix: str, passage_prefix: str, batch_size: int) -> None:
        """`model` is a folder, or a name in the hub; empty `device` = the best there is."""
        self._model = model
        self._device = device
        self._query_prefix = query_prefix
        self._passage_prefix = passage_prefix
        self._batch_size = batch_size
        self._lock = Lock()
        self._made: Any = None
        self._name = ""

    @property
    def name(self) -> str:
        """The model's last name, and a hash of its files (for a name in the hub: of its commit) and the prefixes."""
        with self._loaded() as encoder:
            if not self._name:
                digest = hashlib.sha256(f"{self._query_prefix}\0{self._passage_prefix}\0".encode())
                digest.update(_revision(self._model, encoder))
                self._name = f"{Path(self._model).name}@{digest.hexdigest()[:8]}"
            return self._name

    @property
    def dimension(self) -> int:
        """As the model says."""
        with self._loaded() as encoder:
            return int(encoder.get_embedding_dimension())

    @property
    def max_tokens(self) -> int:
        """What is left of the model's window beside the special tokens and the longer prefix."""
        with self._loaded() as encoder:
            prefixes = _count(encoder, [self._query_prefix, self._passage_prefix])
            special = int(encoder.tokenizer.num_special_tokens_to_add())
            return int(encoder.max_seq_length) - special - max(prefixes)

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """float32[len(texts), dimension]."""
        return self._embed(self._passage_prefix, texts)

    def embed_query(self, text: str) -> Matrix:
        """float32[dimension]."""
        vector: Matrix = self._embed(self._query_prefix, [text])[0]
        return vector

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As the model's own tokenizer counts."""
        with self._loaded() as encoder:
            return _count(encoder, texts)

    def _embed(self, prefix: str, texts: Sequence[str]) -> Matrix:
        with self._loaded() as encoder:
            dimension = int(encoder.get_embedding_dimension())
            vectors = encoder.encode(
                [repaired(prefix + text) for text in texts],
                batch_size=self._batch_size,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        return unit_rows(vectors.reshape(len(texts), dimension), rows=len(texts), dimension=dimension)

    @contextmanager
    def _loaded(self) -> Iterator[Any]:
        with self._lock:
            if self._made is None:
                self._made = _load(self._model, self._device)
            yield self._made


def _load(model: str, device: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            "embedding.kind is `sentence_transformers`, which needs torch: pip install 'zhiku[local]'"
        ) from None
    try:
        return SentenceTransformer(model, device=device or None)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"embedding.model {model!r} cannot be loaded ({type(error).__name__}): name a folder with the model, "
            "or a name in the hub if this machine may reach it."
        ) from error


def _count(encoder: Any, texts: Sequence[str]) -> list[int]:
    if not texts:
        return []
    encoded = encoder.tokenizer([repaired(text) for text in texts], add_special_tokens=False, truncation=False)
    return [len(ids) for ids in encoded["input_ids"]]


def _revision(model: str, encoder: Any) -> bytes:
    folder = Path(model)
    if not folder.is_dir():
        return str(getattr(encoder[0].auto_model.config, "_commit_hash", "")).encode()
    digest = hashlib.sha256()
    for path in sorted({path for pattern in REVISION_FILES for path in folder.rglob(pattern)}):
        with path.open("rb") as file:
            digest.update(path.relative_to(folder).as_posix().encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.digest()
