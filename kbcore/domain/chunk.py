"""What parsing yields, what is indexed, and what a search returns."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from kbcore.domain.document import Classification


class ElementKind(StrEnum):
    """What a piece of a parsed document is."""

    HEADING = "heading"
    TEXT = "text"
    LIST_ITEM = "list_item"
    TABLE = "table"
    CODE = "code"
    HEADER = "header"  # running header: counted, never indexed
    FOOTER = "footer"  # running footer or page number: counted, never indexed


@dataclass(frozen=True, slots=True)
class Element:
    """One piece of a parsed document, in reading order. `page` is 1-based; `depth` is a heading's level (1 = top)."""

    kind: ElementKind
    text: str
    page: int | None = None
    depth: int | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a loader found in a file. `title` is the document's own title, when it states one."""

    elements: tuple[Element, ...]
    media_type: str
    title: str | None = None
    pages: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """An element's place in the stored text: characters `start:end`."""

    kind: ElementKind
    start: int
    end: int
    page: int | None = None
    depth: int | None = None


@dataclass(frozen=True, slots=True)
class StoredText:
    """The clean text of a version and its outline. Citations, chunks and diffs are offsets (characters) into `text`."""

    text: str
    outline: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage to index. `text == stored.text[start:end]`, always.

    `heading` is the path of headings above it, outermost first. `tokens` counts the embedding model's tokens of
    `embedded_text`, which is what gets embedded (the heading path in front of the text).
    """

    ordinal: int
    start: int
    end: int
    text: str
    heading: tuple[str, ...]
    page: int | None
    kind: ElementKind
    language: str
    tokens: int
    embedded_text: str


@dataclass(frozen=True, slots=True)
class VectorStamp:
    """The integers by which a chunk's row in the vector index is filtered."""

    document_key: int
    space_key: int
    policy_id: int
    level: int
    valid_from: int
    valid_to: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that SQL has confirmed this caller may read now; only `kbcore.metadata.passages.confirm` makes these.

    `current` = of the version that readers see now. `embedding` is float32[dimension] of unit length; `terms` is packed
    by `kbcore.language.weights`. `made_at` is when this version was made.
    """

    chunk_id: str
    document_id: str
    version: int
    title: str
    space: str
    text: str
    uri: str
    page: int | None
    heading: tuple[str, ...]
    start: int
    end: int
    classification: Classification
    language: str
    effective_from: datetime | None
    effective_to: datetime | None
    current: bool = True
    made_at: datetime | None = None
    embedding: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    terms: bytes = field(default=b"", repr=False, compare=False)
