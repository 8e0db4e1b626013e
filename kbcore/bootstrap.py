"""Composition: from settings to the adapters that both halves use. Building opens no socket; first use does."""

from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

from kbcore.blobs.filesystem import FilesystemBlobs
from kbcore.blobs.interface import BlobStore
from kbcore.blobs.s3 import S3Blobs
from kbcore.embedding.bundled import BundledEmbedder
from kbcore.embedding.interface import Embedder
from kbcore.embedding.neutral import LanguageNeutralEmbedder, e5_language_axis
from kbcore.embedding.openai_compatible import OpenAICompatibleEmbedder
from kbcore.embedding.sentence_transformers import SentenceTransformersEmbedder
from kbcore.llm.extractive import ExtractiveModel
from kbcore.llm.interface import AnswerModel
from kbcore.llm.langchain_chat import LangChainModel
from kbcore.metadata.database import Database
from kbcore.queue.celery import CeleryQueue
from kbcore.queue.interface import JobQueue
from kbcore.rerank.cross_encoder import CrossEncoderReranker
from kbcore.rerank.http import HttpReranker
from kbcore.rerank.interface import Reranker
from kbcore.settings import CONFIG_FOLDER, Settings
from kbcore.vectors.interface import VectorStore
from kbcore.vectors.milvus import MilvusStore


@runtime_checkable
class _Closeable(Protocol):
    """An adapter that holds connections."""

    def close(self) -> None:
        """Give them back."""


class Platform:
    """The adapters that the settings name, each built once, when first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def database(self) -> Database:
        """PostgreSQL."""
        settings = self.settings.database
        return Database(settings.url.get_secret_value(), pool_size=settings.pool_size)

    @cached_property
    def vectors(self) -> VectorStore:
        """Milvus."""
        settings = self.settings.milvus
        return MilvusStore(settings.uri, token=settings.token.get_secret_value())

    @cached_property
    def blobs(self) -> BlobStore:
        """Original bytes."""
        settings = self.settings.blobs
        if settings.kind == "s3":
            return S3Blobs(
                settings.bucket,
                endpoint=settings.endpoint,
                region=settings.region,
                access_key=settings.access_key.get_secret_value(),
                secret_key=settings.secret_key.get_secret_value(),
            )
        return FilesystemBlobs(Path(settings.folder) if settings.folder else self.settings.home / "blobs")

    @cached_property
    def queue(self) -> JobQueue:
        """Celery on Redis."""
        return CeleryQueue(self.settings.redis.url.get_secret_value())

    @cached_property
    def embedder(self) -> Embedder:
        """What makes the vectors of the index and of questions."""
        settings = self.settings.embedding
        if settings.kind == "bundled" and settings.language_neutral:
            return LanguageNeutralEmbedder(self.embedding_model, e5_language_axis())
        return self.embedding_model

    @cached_property
    def embedding_model(self) -> Embedder:
        """The embedding model itself, as `/v1/embeddings` serves it."""
        settings = self.settings.embedding
        if settings.kind == "sentence_transformers":
            return SentenceTransformersEmbedder(
                settings.model,
                device=settings.device,
                query_prefix=settings.query_prefix,
                passage_prefix=settings.passage_prefix,
                batch_size=settings.batch_size,
            )
        if settings.kind == "openai_compatible":
            return OpenAICompatibleEmbedder(
                settings.base_url,
                settings.model,
                api_key=settings.api_key.get_secret_value(),
                dimension=settings.dimension,
                max_tokens=settings.max_tokens,
                query_prefix=settings.query_prefix,
                passage_prefix=settings.passage_prefix,
                batch_size=settings.batch_size,
            )
        return BundledEmbedder(threads=settings.threads)

    @cached_property
    def reranker(self) -> Reranker | None:
        """The reranker, if one is configured."""
        settings = self.settings.rerank
        if settings.kind == "cross_encoder":
            return CrossEncoderReranker(settings.model, device=self.settings.embedding.device)
        if settings.kind == "http":
            return HttpReranker(settings.base_url, settings.model, api_key=settings.api_key.get_secret_value())
        return None

    @cached_property
    def answer_models(self) -> dict[str, AnswerModel]:
        """Every generation backend by name; `extractive` is always there."""
        answer = self.settings.answer
        models: dict[str, AnswerModel] = {
            "extractive": ExtractiveModel(
                self.embedder,
                max_quotes=answer.max_quotes,
                min_evidence={"zh": answer.min_quote_zh, "en": answer.min_quote_en},
            )
        }
        for model in self.settings.llm.models:
            models[model.name] = LangChainModel(
                model.name,
                model=model.model,
                base_url=model.base_url,
                api_key=model.api_key.get_secret_value(),
                context_tokens=model.context_tokens,
                timeout_s=model.timeout_s,
                prompts=CONFIG_FOLDER / "prompts",
            )
        return models

    def close(self) -> None:
        """Give back connections; the adapters reconnect if they are used again."""
        if "database" in self.__dict__:
            self.database.dispose()
        for name in ("blobs", "embedding_model", "reranker"):
            adapter = self.__dict__.get(name)
            if isinstance(adapter, _Closeable):
                adapter.close()
