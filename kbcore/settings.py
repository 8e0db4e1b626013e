"""The settings tree: read once, frozen, passed down. This is the only file that reads the environment.

Sources, later ones win: `configs/default.toml` (every key, commented), `configs/<profile>.toml` (`ZHIKU_PROFILE`), the
file that `ZHIKU_CONFIG` names, then environment variables `ZHIKU_<SECTION>__<KEY>` (and `ZHIKU_HOME`, `ZHIKU_PORT`,
`ZHIKU_HOST`); one that names no setting is refused, so that a typing error isn't a silent default.
An empty address means: the embedded server, which `zhiku up` starts in the data folder.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from kbcore.audit.anomalies import Rule, Thresholds
from kbcore.errors import ConfigurationError

CONFIG_FOLDER = Path(__file__).resolve().parent.parent / "configs"


def _words(value: object) -> object:
    return [word for word in re.split(r"[\s,]+", value) if word] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
"""A list; from the environment its words are parted by commas or spaces."""


Level = Literal["public", "internal", "confidential", "restricted"]
"""A classification."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerSettings(_Section):
    """Where the API listens and what it accepts."""

    host: str
    port: int = Field(ge=0, le=65535)
    threads: int = Field(ge=1)
    max_body_bytes: int = Field(ge=1)
    max_upload_bytes: int = Field(ge=1)
    trusted_proxies: Words

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        """A misspelt one would silently be trusted never."""
        for word in words:
            ip_network(word)
        return words


class DatabaseSettings(_Section):
    """PostgreSQL."""

    url: SecretStr
    pool_size: int = Field(ge=1)


class RedisSettings(_Section):
    """Redis: the broker."""

    url: SecretStr


class MilvusSettings(_Section):
    """Milvus; the embedded one is Milvus Lite's own server."""

    uri: str
    token: SecretStr
    prefix: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    flush_rows: int = Field(ge=1)


class BlobSettings(_Section):
    """Original bytes: a folder (default `<home>/blobs`) or an S3 bucket."""

    kind: Literal["filesystem", "s3"]
    folder: str
    bucket: str
    endpoint: str
    region: str
    access_key: SecretStr
    secret_key: SecretStr


class EmbeddingSettings(_Section):
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


class ChunkingSettings(_Section):
    """How documents are cut; part of an index generation's identity."""

    max_tokens: int = Field(ge=32)
    min_tokens: int = Field(ge=0)


class ErasureSettings(_Section):
    """Certificates of erasure."""

    signing_key: SecretStr


class AuditSettings(_Section):
    """The audit log: its chain's keys, and where its heads are kept."""

    key: SecretStr
    former_keys: list[SecretStr]
    heads: Literal["file", "s3"]
    heads_folder: str
    heads_bucket: str
    export_every_s: float = Field(gt=0)
    verify_every_hours: float = Field(ge=0, le=8760)
    refusals_per_minute: int = Field(ge=1)


class KeySettings(_Section):
    """API keys."""

    max_days: int = Field(ge=0, le=36500)


class LoginSettings(_Section):
    """Logging in with a password."""

    enabled: bool
    session_hours: float = Field(gt=0, le=8760)
    min_password_chars: int = Field(ge=8, le=100)
    attempts_per_name: int = Field(ge=1)
    attempts_per_address: int = Field(ge=1)
    window_minutes: int = Field(ge=1, le=1440)


class EgressSettings(_Section):
    """Requests to addresses that users can influence: what is allowed beyond the public internet."""

    allow_hosts: Words
    allow_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_words)]
    ports: Annotated[tuple[int, ...], BeforeValidator(_words)]


class OidcSettings(_Section):
    """Bearer tokens of an identity provider. Off while `issuer` is empty."""

    issuer: str
    audience: str
    jwks_url: str
    algorithms: Annotated[
        tuple[
            Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"],
            ...,
        ],
        BeforeValidator(_words),
        Field(min_length=1),
    ]
    username_claim: str = Field(min_length=1)
    external_id_claim: str = Field(min_length=1)
    groups_claim: str = Field(min_length=1)
    create_users: bool
    create_groups: bool
    clearance: Level
    leeway_s: int = Field(ge=0, le=300)
    jwks_ttl_s: int = Field(ge=10)
    token_max_age_s: int = Field(ge=1)

    @field_validator("issuer")
    @classmethod
    def _protected(cls, issuer: str) -> str:
        url = urlsplit(issuer)
        here = url.hostname in ("localhost", "127.0.0.1", "::1")
        if issuer and (not url.hostname or url.query or url.fragment or url.username is not None):
            raise ValueError("must be an address such as https://login.example.com/realms/staff")
        if issuer and url.scheme != "https" and not (here and url.scheme == "http"):
            raise ValueError("must begin with https://: whoever can change the keys on the way can be anyone")
        return issuer

    @field_validator("audience")
    @classmethod
    def _named(cls, audience: str, info: ValidationInfo) -> str:
        if info.data.get("issuer") and not audience:
            raise ValueError("is needed with oidc.issuer: tokens that the issuer made for others must not work here")
        return audience

    @field_validator("jwks_url")
    @classmethod
    def _address(cls, jwks_url: str) -> str:
        url = urlsplit(jwks_url)
        if jwks_url and (url.scheme not in ("http", "https") or not url.hostname):
            raise ValueError("must be an address such as https://login.example.com/realms/staff/certs")
        return jwks_url


class TraceSettings(_Section):
    """Traces of searches and answers."""

    keep_days: int = Field(ge=0)


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class AnomalySettings(_Section):
    """What is remarkable in the audit log."""

    rules: Words
    every_s: float = Field(gt=0)
    documents_per_hour: int = Field(ge=1)
    refusals: int = Field(ge=1)
    off_hours_from: int = Field(ge=0, le=23)
    off_hours_to: int = Field(ge=0, le=23)
    off_days: Words
    time_zone: str
    throttle_minutes: int = Field(ge=0)
    throttle_rules: Words

    @field_validator("rules", "throttle_rules")
    @classmethod
    def _known_rules(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            Rule(name)
        return names

    @field_validator("off_days")
    @classmethod
    def _known_days(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not set(names) <= set(_DAYS):
            raise ValueError(f"days are {', '.join(_DAYS)}")
        return names

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (OSError, ValueError, LookupError):
            raise ValueError("no such time zone; they are named like Asia/Shanghai") from None
        return name

    @property
    def throttling(self) -> frozenset[Rule]:
        """The rules that put off requests of who caused a finding."""
        return frozenset(map(Rule, self.throttle_rules)) if self.throttle_minutes else frozenset()

    def thresholds(self) -> Thresholds:
        """The same for the rules."""
        return Thresholds(
            rules=frozenset(map(Rule, self.rules)),
            documents=self.documents_per_hour,
            documents_window=timedelta(hours=1),
            refusals=self.refusals,
            refusals_window=timedelta(minutes=5),
            off_from=self.off_hours_from,
            off_to=self.off_hours_to,
            off_days=frozenset(_DAYS.index(day) + 1 for day in self.off_days),
            zone=ZoneInfo(self.time_zone),
        )


class ParsingSettings(_Section):
    """Limits of the parsing process."""

    timeout_s: float = Field(gt=0)
    memory_bytes: int = Field(ge=0)
    max_pages: int = Field(ge=1)
    max_text_chars: int = Field(ge=1)
    max_expansion: int = Field(ge=1)


class WorkerSettings(_Section):
    """The ingestion worker."""

    concurrency: int = Field(ge=1)
    lease_s: float = Field(gt=0)
    sweep_s: float = Field(gt=0)
    max_attempts: int = Field(ge=1)
    publish_max_documents: int = Field(ge=1)


class RetrievalSettings(_Section):
    """The question path's search."""

    candidates: int = Field(ge=1)
    max_candidates: int = Field(ge=1)
    exact_rows: int = Field(ge=0)
    keyword_weight: float = Field(ge=0, le=1)
    keyword_power: float = Field(gt=0)
    max_top_k: int = Field(ge=1)
    max_query_chars: int = Field(ge=1)


class EvaluationSettings(_Section):
    """Measurements on golden sets."""

    run_here: bool
    permission_trials: int = Field(ge=0)


class AnswerSettings(_Section):
    """Answering. Thresholds belong to the embedding model and the documents: `zhiku calibrate` proposes them."""

    passages: int = Field(ge=1)
    coverage_weight: float = Field(ge=0)
    missing_weight: float = Field(ge=0)
    min_score_zh: float
    min_score_en: float
    min_score_cross: float
    min_quote_zh: float
    min_quote_en: float
    history_tokens: int = Field(ge=0)
    max_quotes: int = Field(ge=1)
    remember_minutes: int = Field(ge=0, le=1440)
    remember_cosine: float = Field(gt=0, le=1)


class LimitOverride(_Section):
    """Other values for one user or one group, an entry of `[[limits.overrides]]`; None = as `[limits]` says."""

    user: str | None = None
    group: str | None = None
    key_requests_per_minute: int | None = Field(None, ge=0)
    user_requests_per_minute: int | None = Field(None, ge=0)
    user_answers_at_once: int | None = Field(None, ge=0)
    user_tokens_per_day: int | None = Field(None, ge=0)
    user_cost_per_month: float | None = Field(None, ge=0)


class LimitSettings(_Section):
    """How much may be asked, and what it may cost. 0 = no limit."""

    strict: bool
    key_requests_per_minute: int = Field(ge=0)
    user_requests_per_minute: int = Field(ge=0)
    model_requests_per_minute: int = Field(ge=0)
    user_answers_at_once: int = Field(ge=0)
    user_tokens_per_day: int = Field(ge=0)
    user_cost_per_month: float = Field(ge=0)
    total_cost_per_month: float = Field(ge=0)
    overrides: tuple[LimitOverride, ...] = ()

    @field_validator("overrides")
    @classmethod
    def _of_somebody(cls, overrides: tuple[LimitOverride, ...]) -> tuple[LimitOverride, ...]:
        if any((each.user is None) is (each.group is None) for each in overrides):
            raise ValueError("each entry names either a `user` or a `group`")
        return overrides

    @property
    def limits_anything(self) -> bool:
        """False if everybody may do everything: then nothing is counted."""
        values = {name: value for name, value in self if name not in ("strict", "overrides")}
        return any(values.values()) or bool(self.overrides)


class RerankSettings(_Section):
    """Reranking."""

    kind: Literal["none", "cross_encoder", "http"]
    model: str
    base_url: str
    api_key: SecretStr
    max_classification: Level
    shape: Literal["cohere", "jina", "tei"]
    raw_scores: bool
    batch: int = Field(ge=0)
    timeout_s: float = Field(gt=0)


class ModelSettings(_Section):
    """One generation backend, an entry of `[[llm.models]]`.

    `max_classification` has no default: whoever adds a backend says what may leave for it.
    """

    name: str
    provider: Literal["openai", "azure", "anthropic", "google", "transformers"]
    model: str
    base_url: str = ""
    api_key: SecretStr = SecretStr("")
    api_version: str = ""
    max_classification: Level
    context_tokens: int = Field(ge=512)
    timeout_s: float = Field(gt=0)
    price_input: float = Field(default=0.0, ge=0)
    price_output: float = Field(default=0.0, ge=0)
    mask_personal_data: bool = False
    prompt: Literal["answer", "answer_small"] = "answer"
    context: Literal["passages", "sentences"] = "passages"
    experimental: bool = False
    quotes_below: bool = False
    device: str = ""


class LlmSettings(_Section):
    """Generation. `default` is `extractive` or the name of one of `models`, `fallbacks` are tried after it in order.

    `rewrite` names one of them, too, or is empty.
    """

    default: str
    fallbacks: Words
    question_classification: Level
    breaker_failures: int = Field(ge=1)
    breaker_rest_s: float = Field(gt=0)
    rewrite: str
    models: tuple[ModelSettings, ...] = ()

    @model_validator(mode="after")
    def _rewriter_is_there(self) -> Self:
        entry = next((model for model in self.models if model.name == self.rewrite), None)
        if self.rewrite and entry is None:
            raise ValueError(f"rewrite names {self.rewrite!r}, which is no entry of llm.models")
        if entry is not None and entry.mask_personal_data:
            raise ValueError("rewrite names a model with mask_personal_data, and questions would be sent as they are")
        return self


class McpSettings(_Section):
    """The Model Context Protocol at `/mcp`."""

    enabled: bool
    allowed_origins: Words
    allowed_hosts: Words
    public_url: str
    fetch_chars: int = Field(ge=100)

    @field_validator("public_url")
    @classmethod
    def _of_mcp(cls, public_url: str) -> str:
        url = urlsplit(public_url)
        whole = url.scheme in ("http", "https") and url.hostname and url.path == "/mcp"
        if public_url and (not whole or url.query or url.fragment or url.username is not None):
            raise ValueError("must be an address such as https://kb.example.com/mcp")
        return public_url


class HttpFilterSettings(_Section):
    """One content filter behind HTTP, an entry of `[[guard.http_filters]]`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    url: str = Field(pattern=r"^https?://")
    kind: Literal["openai", "json"]
    model: str = ""
    api_key: SecretStr = SecretStr("")
    max_classification: Level = "internal"
    unseen: Literal["allow", "refuse"] = "refuse"
    timeout_s: float = Field(gt=0, default=10.0)


class GuardSettings(_Section):
    """What stands between untrusted text and the answer."""

    tainted: Literal["mark", "drop"]
    tainted_above: float = Field(gt=0, le=1)
    filters: Words
    phone_regions: Words
    masked_names: str
    http_filters: tuple[HttpFilterSettings, ...] = ()


class LocalModelSettings(_Section):
    """The model of `zhiku models add`, served in a process of its own. Off while `base_url` is empty."""

    name: str = Field(min_length=1)
    base_url: str
    api_key: SecretStr
    context_tokens: int = Field(ge=2048)
    timeout_s: float = Field(gt=0)
    threads: int = Field(ge=0)

    @property
    def working_threads(self) -> int:
        """With 0: half of the cores, because the API and the worker need theirs."""
        return self.threads or max(1, (os.cpu_count() or 1) // 2)


class LogSettings(_Section):
    """Logs go to standard error."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    json_lines: bool


class Settings(_Section):
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


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. Raises `ConfigurationError` naming the key and the remedy."""
    env = dict(os.environ if environment is None else environment)
    profile = env.get("ZHIKU_PROFILE", "development")
    files = [CONFIG_FOLDER / "default.toml", CONFIG_FOLDER / f"{profile}.toml"]
    if extra := env.get("ZHIKU_CONFIG"):
        files.append(Path(extra))
    tree: dict[str, Any] = {}
    for source in (*(_read_toml(file) for file in files), _from_environment(env)):
        tree = _merge(tree, source)
    tree["embedding_profiles"] = [_merge(tree["embedding"], entry) for entry in tree.get("embedding_profiles", ())]
    tree["llm"] = _with_local_model(tree["llm"], tree["local_model"])
    tree["profile"] = profile
    tree["home"] = Path(str(tree["home"])).expanduser().absolute()
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"setting {key}: {first['msg']} (see configs/default.toml; from the environment it is "
            f"{variable_name(first['loc'])})"
        ) from None


def variable_name(path: Sequence[str | int]) -> str:
    """The environment variable of a key: `("server", "max_body_bytes")` → `ZHIKU_SERVER__MAX_BODY_BYTES`."""
    short = {keys: name for name, keys in _SHORT.items()}
    return short.get(tuple(map(str, path))) or "ZHIKU_" + "__".join(str(part) for part in path).upper()


def variable_names() -> frozenset[str]:
    """Every environment variable that Zhiku reads."""
    names = {variable_name((section, key)) for section, keys in _sections().items() for key in keys}
    names |= {variable_name(path) for path in _LISTS}
    return frozenset({*names, *_SHORT, *_OTHERS, *(f"ZHIKU_{'__'.join(path).upper()}" for path in _SHORT.values())})


def given_url() -> str | None:
    """`ZHIKU_URL`: the server that the command line talks to."""
    return os.environ.get("ZHIKU_URL") or None


def given_key() -> str | None:
    """`ZHIKU_KEY`: the API key that the command line uses."""
    return os.environ.get("ZHIKU_KEY") or None


def child_environment(**overrides: str) -> dict[str, str]:
    """The environment for a child process: ours, with telemetry of libraries switched off, and `overrides`."""
    return {**os.environ, **QUIET, **overrides}


def silence_telemetry() -> None:
    """Switch off the telemetry of libraries that phone home; call before they are imported."""
    os.environ.update(QUIET)


QUIET = {
    "DO_NOT_TRACK": "true",
    "SCARF_NO_ANALYTICS": "true",
    "UNSTRUCTURED_DISABLE_NOTICE": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LANGSMITH_TRACING": "false",
    "LANGSMITH_TRACING_V2": "false",
    "LANGCHAIN_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGCHAIN_HANDLER": "",
    "ANTHROPIC_LOG": "",
    "OPENAI_LOG": "",
    "ANONYMIZED_TELEMETRY": "false",
    "TOKENIZERS_PARALLELISM": "false",
}

_SHORT = {"ZHIKU_HOME": ("home",), "ZHIKU_PORT": ("server", "port"), "ZHIKU_HOST": ("server", "host")}

_LISTS = (("llm", "models"), ("embedding_profiles",), ("guard", "http_filters"), ("limits", "overrides"))
"""Keys that hold lists of objects; from the environment they come as JSON."""

# Where settings come from, the command line's address and key, the tests' corpora.
_OTHERS = frozenset({"ZHIKU_PROFILE", "ZHIKU_CONFIG", "ZHIKU_URL", "ZHIKU_KEY", "ZHIKU_DATA"})


def _with_local_model(llm: dict[str, Any], local: Mapping[str, Any]) -> dict[str, Any]:
    """The generation settings, with the local model as one of the backends where there is one."""
    if not local["base_url"]:
        return llm
    served = {key: local[key] for key in ("name", "base_url", "api_key", "context_tokens", "timeout_s")}
    entry = {**served, **_WEAK, "provider": "openai", "model": local["name"]}
    others = [each for each in llm.get("models", ()) if each.get("name") != local["name"]]
    return {**llm, "models": [*others, entry]}


_WEAK = {
    "prompt": "answer_small",
    "context": "sentences",
    "experimental": True,
    "quotes_below": True,
    "max_classification": "restricted",
}
"""How a small model is asked, that its words are never shown alone, and that nothing leaves the machine for it."""


def _sections() -> dict[str, list[str]]:
    return {
        name: list(field.annotation.model_fields)
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, _Section)
    }


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"no such configuration file: {file}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: {error}") from None


def _from_environment(env: Mapping[str, str]) -> dict[str, Any]:
    known = variable_names()
    tree: dict[str, Any] = {}
    for name, value in env.items():
        if not name.startswith("ZHIKU_") or name in _OTHERS:
            continue
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "docs/settings.md lists all of them"
            raise ConfigurationError(f"there is no setting for the environment variable {name}; {hint}")
        *sections, key = _SHORT.get(name) or name.removeprefix("ZHIKU_").lower().split("__")
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
        node[key] = _entries(name, value, (*sections, key)) if (*sections, key) in _LISTS else value
    return tree


def _entries(name: str, value: str, path: tuple[str, ...]) -> Any:
    try:
        entries = json.loads(value)
    except json.JSONDecodeError:
        entries = None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigurationError(
            f"{name} must be a JSON list of objects with the keys of [[{'.'.join(path)}]] in configs/default.toml"
        )
    return entries


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        merged[key] = _merge(merged[key], value) if isinstance(value, Mapping) and key in merged else value
    return merged
