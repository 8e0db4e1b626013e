"""Reading the settings. This is the only file that reads the environment."""

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kbcore.errors import ConfigurationError
from kbcore.settings.section import Section
from kbcore.settings.tree import Settings

CONFIG_FOLDER = Path(__file__).resolve().parent.parent.parent / "configs"


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
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
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
