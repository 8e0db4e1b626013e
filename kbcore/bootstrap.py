"""Composition: from settings to the adapters that both halves use. Building opens no socket; first use does."""

from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

from kbcore.audit.chain import ChainKey
from kbcore.audit.head_file import HeadFile
from kbcore.audit.heads import HeadStore
from kbcore.blobs.filesystem import FilesystemBlobs
from kbcore.blobs.interface import BlobStore
from kbcore.blobs.s3 import S3Blobs
from kbcore.blobs.s3_client import S3Client
from kbcore.blobs.s3_heads import S3Heads
from kbcore.domain.document import Classification
from kbcore.egress.client import Egress
from kbcore.egress.rules import EgressRules
from kbcore.embedding.bundled import BundledEmbedder
from kbcore.embedding.interface import Embedder
from kbcore.embedding.neutral import LanguageNeutralEmbedder, e5_language_axis
from kbcore.embedding.openai_compatible import OpenAICompatibleEmbedder
from kbcore.embedding.questions import QuestionVectors
from kbcore.embedding.sentence_transformers import SentenceTransformersEmbedder
from kbcore.embedding.truncated import TruncatedEmbedder
from kbcore.errors import ConfigurationError, NotFound, Unavailable
from kbcore.identity.keys import IssuerKeys
from kbcore.identity.tokens import Expected, Tokens
from kbcore.llm.breaker import Breaker
from kbcore.llm.extractive import ExtractiveModel
from kbcore.llm.interface import AnswerModel, Weakness
from kbcore.llm.langchain_chat import LangChainModel
from kbcore.llm.providers import ChatService, require_packages
from kbcore.llm.sentences_only import SentencesOnly
from kbcore.llm.transformers_chat import TransformersModel
from kbcore.metadata.audit_trail import AuditTrail
from kbcore.metadata.database import Database
from kbcore.metadata.trace_journal import TraceJournal
from kbcore.queue.celery import CeleryQueue
from kbcore.queue.interface import JobQueue
from kbcore.rerank.cross_encoder import CrossEncoderReranker
from kbcore.rerank.http import HttpReranker
from kbcore.rerank.interface import Reranker
from kbcore.settings import CONFIG_FOLDER, EmbeddingSettings, ModelSettings, Settings
from kbcore.signing import Signer, seed_from_file, seed_from_text
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
    def certificates(self) -> Signer:
        """What signs certificates of erasure. Raises `ConfigurationError`."""
        given = self.settings.erasure.signing_key.get_secret_value()
        return Signer.from_text(given) if given else Signer.from_file(self.settings.home / "keys" / "erasure.key")

    @cached_property
    def audit(self) -> AuditTrail:
        """The audit log. Raises `ConfigurationError` if its key cannot be read or made."""
        return audit_trail(self.settings, self.database)

    @cached_property
    def audit_heads(self) -> HeadStore:
        """Where heads of the audit log are kept. Raises `ConfigurationError`."""
        settings = self.settings.audit
        if settings.heads == "file":
            return HeadFile(Path(settings.heads_folder) if settings.heads_folder else self.settings.home / "audit")
        if not settings.heads_bucket:
            raise ConfigurationError("setting audit.heads_bucket: audit.heads is `s3`, which needs a bucket")
        reached = self.settings.blobs
        client = S3Client(
            endpoint=reached.endpoint,
            region=reached.region,
            access_key=reached.access_key.get_secret_value(),
            secret_key=reached.secret_key.get_secret_value(),
        )
        return S3Heads(settings.heads_bucket, client)

    def require_audit(self) -> None:
        """Refuse to start without the audit log's keys: nothing could be answered. Raises `ConfigurationError`."""
        _ = self.audit, self.audit_heads

    def require_models(self) -> None:
        """Refuse to start if a model's packages are missing: its answers would fail. Raises `ConfigurationError`."""
        for model in self.settings.llm.models:
            require_packages(model.provider)

    @cached_property
    def egress(self) -> Egress:
        """Requests to addresses that users can influence."""
        settings = self.settings.egress
        return Egress(EgressRules(frozenset(settings.allow_hosts), settings.allow_networks, frozenset(settings.ports)))

    @cached_property
    def tokens(self) -> Tokens | None:
        """What checks bearer tokens of the identity provider, if there is one."""
        settings = self.settings.oidc
        if not settings.issuer:
            return None
        keys = IssuerKeys(self.egress, settings.issuer, jwks_url=settings.jwks_url, ttl_s=settings.jwks_ttl_s)
        expected = Expected(
            issuer=settings.issuer,
            audience=settings.audience,
            algorithms=settings.algorithms,
            leeway_s=settings.leeway_s,
            max_age_s=settings.token_max_age_s,
        )
        return Tokens(keys, expected, remember_s=settings.jwks_ttl_s)

    @cached_property
    def traces(self) -> TraceJournal:
        """What writes traces, with their audit records."""
        return TraceJournal(self.database, self.audit)

    @cached_property
    def queue(self) -> JobQueue:
        """Celery on Redis."""
        return CeleryQueue(self.settings.redis.url.get_secret_value())

    @cached_property
    def embedder(self) -> Embedder:
        """The configured embedding model, as a new index generation uses it."""
        return self._indexing(self.settings.embedding, self.embedding_model)

    @cached_property
    def embedding_model(self) -> Embedder:
        """The embedding model itself, as `/v1/embeddings` serves it."""
        return self._model(self.settings.embedding)

    @cached_property
    def question_vectors(self) -> QuestionVectors:
        """Vectors of questions that were asked lately."""
        return QuestionVectors()

    def embedder_for(self, name: str) -> Embedder:
        """The configured model with this `Embedder.name`: an index is searched with the model that built it.

        Raises `Unavailable` (`embedding_mismatch`) if no setting names it any more.
        """
        if self.embedder.name == name:
            return self.embedder
        for embedder in self._other_embedders.values():
            if embedder.name == name:
                return embedder
        raise Unavailable(
            f"the index was built with the embedding model {name}, but {self.embedder.name} is configured: keep the "
            "former as an entry of [[embedding_profiles]] until the index is re-built with the new one",
            code="embedding_mismatch",
        )

    def embedder_of_profile(self, profile: str) -> Embedder:
        """The model of an entry of `[[embedding_profiles]]`; `default` is `[embedding]`. Raises `NotFound`."""
        if profile == "default":
            return self.embedder
        try:
            return self._other_embedders[profile]
        except KeyError:
            raise NotFound("embedding_profile") from None

    @cached_property
    def _other_embedders(self) -> dict[str, Embedder]:
        """By profile name. The bundled model is always there, with the language left out and with it."""
        built_in = {
            "bundled": LanguageNeutralEmbedder(self._bundled, e5_language_axis()),
            "bundled-plain": self._bundled,
        }
        configured = {
            profile.name: self._indexing(profile, self._model(profile)) for profile in self.settings.embedding_profiles
        }
        return {**built_in, **configured}

    @cached_property
    def _bundled(self) -> Embedder:
        """One copy of the weights, whatever is made of its vectors."""
        if self.settings.embedding.kind == "bundled":
            return self.embedding_model
        return BundledEmbedder(threads=self.settings.embedding.threads)

    def _indexing(self, settings: EmbeddingSettings, model: Embedder) -> Embedder:
        if settings.kind != "bundled":
            return model
        neutral = LanguageNeutralEmbedder(model, e5_language_axis()) if settings.language_neutral else model
        return TruncatedEmbedder(neutral, settings.dimension) if settings.dimension else neutral

    def _model(self, settings: EmbeddingSettings) -> Embedder:
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
        if settings is self.settings.embedding:
            return BundledEmbedder(threads=settings.threads)
        return self._bundled

    @cached_property
    def reranker(self) -> Reranker | None:
        """The reranker, if one is configured."""
        settings = self.settings.rerank
        if settings.kind == "cross_encoder":
            return CrossEncoderReranker(settings.model, device=self.settings.embedding.device)
        if settings.kind == "http":
            return HttpReranker(
                settings.base_url,
                settings.model,
                api_key=settings.api_key.get_secret_value(),
                shape=settings.shape,
                allowed=Classification.of(settings.max_classification),
                raw_scores=settings.raw_scores,
                batch=settings.batch,
                timeout_s=settings.timeout_s,
            )
        return None

    @cached_property
    def answer_models(self) -> dict[str, AnswerModel]:
        """Every generation backend by name; `extractive` is always there."""
        models: dict[str, AnswerModel] = {"extractive": self.quoting_model}
        for model in self.settings.llm.models:
            models[model.name] = self._answering(model)
        return models

    @property
    def model_order(self) -> tuple[str, ...]:
        """Names of answer models by preference; the last one may be sent everything and is always there."""
        llm = self.settings.llm
        return tuple(dict.fromkeys((llm.default, *llm.fallbacks, "extractive")))

    @cached_property
    def quoting_model(self) -> ExtractiveModel:
        """What quotes, by itself or below what a weak model wrote."""
        answer = self.settings.answer
        return ExtractiveModel(
            self.embedder,
            max_quotes=answer.max_quotes,
            min_evidence={"zh": answer.min_quote_zh, "en": answer.min_quote_en},
        )

    def weakness(self, model: str) -> Weakness:
        """What has to be done and said about this answering model's words."""
        entry = next((each for each in self.settings.llm.models if each.name == model), None)
        return Weakness(entry.experimental, entry.quotes_below) if entry else Weakness()

    def _answering(self, settings: ModelSettings) -> AnswerModel:
        built: AnswerModel
        prompts = CONFIG_FOLDER / "prompts"
        if settings.provider == "transformers":
            built = TransformersModel(
                settings.name,
                model=settings.model,
                device=settings.device,
                allowed=Classification.of(settings.max_classification),
                context_tokens=settings.context_tokens,
                timeout_s=settings.timeout_s,
                prompts=prompts,
                prompt=settings.prompt,
            )
        else:
            built = self._over_http(settings)
        return SentencesOnly(built, self.quoting_model) if settings.context == "sentences" else built

    def _over_http(self, settings: ModelSettings) -> LangChainModel:
        llm = self.settings.llm
        return LangChainModel(
            settings.name,
            ChatService(
                provider=settings.provider,
                model=settings.model,
                base_url=settings.base_url,
                api_key=settings.api_key.get_secret_value(),
                api_version=settings.api_version,
                timeout_s=settings.timeout_s,
            ),
            allowed=Classification.of(settings.max_classification),
            context_tokens=settings.context_tokens,
            prompts=CONFIG_FOLDER / "prompts",
            breaker=Breaker(failures=llm.breaker_failures, rest_s=llm.breaker_rest_s),
            prompt=settings.prompt,
        )

    def close(self) -> None:
        """Give back connections; the adapters reconnect if they are used again."""
        if "database" in self.__dict__:
            self.database.dispose()
        for name in ("blobs", "audit_heads", "embedding_model", "reranker"):
            adapter = self.__dict__.get(name)
            if isinstance(adapter, _Closeable):
                adapter.close()


def audit_trail(settings: Settings, database: Database) -> AuditTrail:
    """The audit log in this database, with the keys that the settings name. Raises `ConfigurationError`."""
    given = settings.audit.key.get_secret_value()
    file = settings.home / "keys" / "audit.key"
    secret = seed_from_text(given, "setting audit.key") if given else seed_from_file(file)
    former = [seed_from_text(key.get_secret_value(), "setting audit.former_keys") for key in settings.audit.former_keys]
    return AuditTrail(database, ChainKey(secret), [ChainKey(each) for each in former], goes_on=not given)
