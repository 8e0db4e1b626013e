"""Settings of what happens to documents: parsing, chunking, embedding, workers, erasure."""

from typing import Literal

from pydantic import Field, SecretStr

from kbcore.settings.section import Section


class EmbeddingSettings(Section):
    """The embedding model."""

    kind: Literal["bundled", "sentence_transformers", "openai_compatible"]
    model: str
    base_url: str
    api_key: SecretStr
    dimension: int = Field(ge=0)
    max_tokens: int = Field(ge=1)
    query_prefix: str
    passage_prefix: str
    device: str
    threads: int = Field(ge=0)
    language_neutral: bool
    batch_size: int = Field(ge=1)


class EmbeddingProfile(EmbeddingSettings):
    """Another embedding model that a re-index may choose by its name, an entry of `[[embedding_profiles]]`."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")


class ChunkingSettings(Section):
    """How documents are cut; part of an index generation's identity."""

    max_tokens: int = Field(ge=32)
    min_tokens: int = Field(ge=0)


class ParsingSettings(Section):
    """Limits of the parsing process."""

    timeout_s: float = Field(gt=0)
    memory_bytes: int = Field(ge=0)
    max_pages: int = Field(ge=1)
    max_text_chars: int = Field(ge=1)
    max_expansion: int = Field(ge=1)


class WorkerSettings(Section):
    """The ingestion worker."""

    concurrency: int = Field(ge=1)
    lease_s: float = Field(gt=0)
    sweep_s: float = Field(gt=0)
    max_attempts: int = Field(ge=1)
    publish_max_documents: int = Field(ge=1)


class ErasureSettings(Section):
    """Certificates of erasure."""

    signing_key: SecretStr
