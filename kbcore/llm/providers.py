"""Chat services by vendor: how LangChain builds a client of each, and what that client raises when it fails."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from kbcore.errors import ConfigurationError
from kbcore.llm.bounded_http import bound

if TYPE_CHECKING:
    import httpx2
    from langchain_core.language_models.chat_models import BaseChatModel

_LONGEST = 5
"""How many times its `timeout_s` (one silence) a whole answer may take."""

# Besides their own errors the clients let through what broken streams make of their parsers (all measured).
_BROKEN = (ValueError, TypeError, LookupError, AttributeError)


@dataclass(frozen=True, slots=True)
class ChatService:
    """Where a model is served. An empty `base_url` is the vendor's own address; `api_version` is Azure's."""

    provider: str
    model: str
    base_url: str
    api_key: str
    api_version: str
    timeout_s: float


@dataclass(frozen=True, slots=True)
class _Provider:
    """`package` brings `langchain`'s provider and is an extra of Zhiku's if `extra` names one.

    `http` is what its model sends with, None if that cannot be had.
    """

    langchain: str
    package: str
    extra: str | None
    errors: Callable[[], tuple[type[Exception], ...]]
    arguments: Callable[[ChatService], Mapping[str, Any]]
    http: Callable[[Any], "httpx2.Client | None"]
    limit: str = "max_tokens"  # how it calls the most tokens that an answer may have


def chat_model(service: ChatService) -> "BaseChatModel":
    """The client, which connects when it is used. Raises `ConfigurationError` if its package is not installed."""
    import langsmith  # noqa: PLC0415 (comes with langchain)
    from langchain.chat_models import init_chat_model  # noqa: PLC0415 (2 s)

    langsmith.configure(enabled=False)  # whatever the environment says: prompts go to the model and nowhere else
    require_packages(service.provider)
    provider = _PROVIDERS[service.provider]
    model: BaseChatModel = init_chat_model(
        service.model, model_provider=provider.langchain, **provider.arguments(service)
    )
    if http := provider.http(model):
        bound(http, _LONGEST * service.timeout_s)
    return model


def require_packages(provider: str) -> None:
    """Return if what an entry of `[[llm.models]]` with this provider needs is installed.

    Raises `ConfigurationError`, which names the packages and the command.
    """
    packages, extra = ["torch", "transformers"], "local"
    if provider != "transformers":
        packages, extra = [_PROVIDERS[provider].package], _PROVIDERS[provider].extra or ""
    missing = " ".join(package.replace("_", "-") for package in packages if find_spec(package) is None)
    if missing:
        raise ConfigurationError(
            f"setting llm.models: the provider {provider!r} needs {missing}, which is not installed "
            f"(the extra zhiku[{extra}]): {sys.executable} -m pip install {missing}"
        )


def asked_with(provider: str, *, temperature: float, max_tokens: int, stop: Sequence[str] = ()) -> dict[str, Any]:
    """The arguments of one request, as this vendor's client calls them."""
    return {
        "temperature": temperature,
        _PROVIDERS[provider].limit: max_tokens,
        **({"stop": list(stop)} if stop else {}),
    }


def errors_of(provider: str) -> tuple[type[Exception], ...]:
    """What this vendor's client raises, whatever goes wrong on the way or over there."""
    return (*_PROVIDERS[provider].errors(), *_BROKEN)


def may_pass(error: Exception) -> bool:
    """Whether the same request may well be answered if it is sent again at once: not where somebody has waited already.

    The clients' own retries wait as long as a `Retry-After` says, up to a minute; meanwhile another model could answer.
    """
    from langchain_core.exceptions import ModelAPIError, ModelConnectionError  # noqa: PLC0415 (comes with the model)

    return isinstance(error, ModelAPIError | ModelConnectionError)


def _common(service: ChatService) -> dict[str, Any]:
    return {"timeout": service.timeout_s, "max_retries": 0}


def _openai(service: ChatService) -> dict[str, Any]:
    return {
        **_common(service),
        "base_url": service.base_url or "https://api.openai.com/v1",  # else the environment could name another one
        "api_key": service.api_key or "none",  # the client insists on one; servers without authentication ignore it
        "stream_usage": True,
        "use_responses_api": False,
    }


def _azure(service: ChatService) -> dict[str, Any]:
    return {
        **_common(service),
        "azure_endpoint": service.base_url,
        "azure_deployment": service.model,
        "api_key": service.api_key or "none",
        "api_version": service.api_version,
        "stream_usage": True,
        "use_responses_api": False,
    }


def _anthropic(service: ChatService) -> dict[str, Any]:
    address = service.base_url or "https://api.anthropic.com"
    return {**_common(service), "base_url": address, "api_key": service.api_key or "none", "stream_usage": True}


def _google(service: ChatService) -> dict[str, Any]:
    address = {"base_url": service.base_url} if service.base_url else {}
    return {**_common(service), **address, "google_api_key": service.api_key or "none"}


def _openai_errors() -> tuple[type[Exception], ...]:
    import openai  # noqa: PLC0415 (comes with the chat model)

    return (openai.OpenAIError,)


def _client_of_openai(model: Any) -> "httpx2.Client":
    client: httpx2.Client = model.root_client._client
    return client


def _named(*places: str) -> Callable[[], tuple[type[Exception], ...]]:
    """Classes by `module:name`, looked up when they are needed."""

    def errors() -> tuple[type[Exception], ...]:
        return tuple(getattr(import_module(module), name) for module, name in (place.split(":") for place in places))

    return errors


_PROVIDERS: Mapping[str, _Provider] = {
    "openai": _Provider("openai", "langchain_openai", None, _openai_errors, _openai, _client_of_openai),
    "azure": _Provider("azure_openai", "langchain_openai", None, _openai_errors, _azure, _client_of_openai),
    "anthropic": _Provider(
        "anthropic",
        "langchain_anthropic",
        "anthropic",
        _named("anthropic:AnthropicError", "httpx2:HTTPError"),
        _anthropic,
        lambda model: model._client._client,
    ),
    "google": _Provider(
        "google_genai",
        "langchain_google_genai",
        "google",
        _named(
            "google.genai.errors:APIError",
            "httpx2:HTTPError",
            "langchain_google_genai.chat_models:ChatGoogleGenerativeAIError",
        ),
        _google,
        lambda _model: None,
        limit="max_output_tokens",
    ),
}
