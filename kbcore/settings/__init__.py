"""The settings tree: read once, frozen, passed down.

Sources, later ones win: `configs/default.toml` (every key, commented), `configs/<profile>.toml` (`ZHIKU_PROFILE`), the
file that `ZHIKU_CONFIG` names, then environment variables `ZHIKU_<SECTION>__<KEY>` (and `ZHIKU_HOME`, `ZHIKU_PORT`,
`ZHIKU_HOST`); one that names no setting is refused, so that a typing error isn't a silent default.
An empty address means: the embedded server, which `zhiku up` starts in the data folder.
"""

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
    HttpFilterSettings,
    LimitOverride,
    LimitSettings,
    LlmSettings,
    LocalModelSettings,
    McpSettings,
    ModelSettings,
)
from kbcore.settings.documents import (
    ChunkingSettings,
    EmbeddingProfile,
    EmbeddingSettings,
    ErasureSettings,
    ParsingSettings,
    WorkerSettings,
)
from kbcore.settings.load import (
    CONFIG_FOLDER,
    QUIET,
    child_environment,
    given_key,
    given_url,
    load_settings,
    silence_telemetry,
    variable_name,
    variable_names,
)
from kbcore.settings.search import EvaluationSettings, RerankSettings, RetrievalSettings
from kbcore.settings.section import Level, Words
from kbcore.settings.servers import (
    BlobSettings,
    DatabaseSettings,
    LogSettings,
    MilvusSettings,
    RedisSettings,
    ServerSettings,
)
from kbcore.settings.tree import Settings

__all__ = [
    "CONFIG_FOLDER",
    "QUIET",
    "AnomalySettings",
    "AnswerSettings",
    "AuditSettings",
    "BlobSettings",
    "ChunkingSettings",
    "DatabaseSettings",
    "EgressSettings",
    "EmbeddingProfile",
    "EmbeddingSettings",
    "ErasureSettings",
    "EvaluationSettings",
    "GuardSettings",
    "HttpFilterSettings",
    "KeySettings",
    "Level",
    "LimitOverride",
    "LimitSettings",
    "LlmSettings",
    "LocalModelSettings",
    "LogSettings",
    "LoginSettings",
    "McpSettings",
    "MilvusSettings",
    "ModelSettings",
    "OidcSettings",
    "ParsingSettings",
    "RedisSettings",
    "RerankSettings",
    "RetrievalSettings",
    "ServerSettings",
    "Settings",
    "TraceSettings",
    "Words",
    "WorkerSettings",
    "child_environment",
    "given_key",
    "given_url",
    "load_settings",
    "silence_telemetry",
    "variable_name",
    "variable_names",
]
