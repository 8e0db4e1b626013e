"""Settings of answers: thresholds, models, limits, the guard, MCP."""

import os
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from kbcore.settings.section import Level, Section, Words


class AnswerSettings(Section):
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


class LimitOverride(Section):
    """Other values for one user or one group, an entry of `[[limits.overrides]]`; None = as `[limits]` says."""

    user: str | None = None
    group: str | None = None
    key_requests_per_minute: int | None = Field(None, ge=0)
    user_requests_per_minute: int | None = Field(None, ge=0)
    user_answers_at_once: int | None = Field(None, ge=0)
    user_tokens_per_day: int | None = Field(None, ge=0)
    user_cost_per_month: float | None = Field(None, ge=0)


class LimitSettings(Section):
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


class ModelSettings(Section):
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


class LlmSettings(Section):
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


class McpSettings(Section):
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


class HttpFilterSettings(Section):
    """One content filter behind HTTP, an entry of `[[guard.http_filters]]`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    url: str = Field(pattern=r"^https?://")
    kind: Literal["openai", "json"]
    model: str = ""
    api_key: SecretStr = SecretStr("")
    max_classification: Level = "internal"
    unseen: Literal["allow", "refuse"] = "refuse"
    timeout_s: float = Field(gt=0, default=10.0)


class GuardSettings(Section):
    """What stands between untrusted text and the answer."""

    tainted: Literal["mark", "drop"]
    tainted_above: float = Field(gt=0, le=1)
    filters: Words
    phone_regions: Words
    masked_names: str
    http_filters: tuple[HttpFilterSettings, ...] = ()


class LocalModelSettings(Section):
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
