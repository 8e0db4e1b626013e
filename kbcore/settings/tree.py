"""The settings as one tree."""

from pathlib import Path

from kbcore.settings.access import (
    AnomalySettings,
    AuditSettings,
    EgressSettings,
    KeySettings,
    LoginSettings,
    OidcSettings,
    TraceSettings,
)
from kbcore.settings.answers import (
    AnswerSettings,
    GuardSettings,
    LimitSettings,
    LlmSettings,
    LocalModelSettings,
    McpSettings,
)
from kbcore.settings.documents import (
    ChunkingSettings,
    EmbeddingProfile,
    EmbeddingSettings,
    ErasureSettings,
    ParsingSettings,
    WorkerSettings,
)
from kbcore.settings.search import EvaluationSettings, RerankSettings, RetrievalSettings
from kbcore.settings.section import Section
from kbcore.settings.servers import (
    BlobSettings,
    DatabaseSettings,
    LogSettings,
    MilvusSettings,
    RedisSettings,
    ServerSettings,
)


class Settings(Section):
    """Everything that can be configured. Every key stands, commented, in `configs/default.toml`."""

    profile: str
    home: Path
    server: ServerSettings
    database: DatabaseSettings
    redis: RedisSettings
    milvus: MilvusSettings
    blobs: BlobSettings
    embedding: EmbeddingSettings
    embedding_profiles: tuple[EmbeddingProfile, ...] = ()
    chunking: ChunkingSettings
    parsing: ParsingSettings
    worker: WorkerSettings
    erasure: ErasureSettings
    audit: AuditSettings
    keys: KeySettings
    login: LoginSettings
    oidc: OidcSettings
    egress: EgressSettings
    traces: TraceSettings
    anomaly: AnomalySettings
    retrieval: RetrievalSettings
    evaluation: EvaluationSettings
    answer: AnswerSettings
    limits: LimitSettings
    rerank: RerankSettings
    llm: LlmSettings
    mcp: McpSettings
    guard: GuardSettings
    local_model: LocalModelSettings
    log: LogSettings
