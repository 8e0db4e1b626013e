"""Settings: where they come from, what is refused, what is never shown."""

import tomllib
from pathlib import Path

import pytest

from kbcore.errors import ConfigurationError
from kbcore.settings import CONFIG_FOLDER, Settings, load_settings, variable_name, variable_names


def test_defaults_are_enough() -> None:
    settings = load_settings({})
    assert (settings.profile, settings.server.port) == ("development", 8000)
    assert settings.home.is_absolute()


def test_the_environment_wins_over_a_file_and_a_file_over_the_default(tmp_path: Path) -> None:
    extra = tmp_path / "mine.toml"
    extra.write_text("[server]\nport = 1111\nthreads = 7\n", encoding="utf-8")
    settings = load_settings({"ZHIKU_CONFIG": str(extra), "ZHIKU_PORT": "2222"})
    assert (settings.server.port, settings.server.threads) == (2222, 7)


def test_the_short_and_the_long_name_of_a_variable_mean_the_same() -> None:
    assert load_settings({"ZHIKU_SERVER__PORT": "2222"}).server.port == 2222


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ZHIKU_PROT", "ZHIKU_PORT"),
        ("ZHIKU_DATABASE_URL", "ZHIKU_DATABASE__URL"),
        ("ZHIKU_LOG__LEVLE", "ZHIKU_LOG__LEVEL"),
    ],
)
def test_an_unknown_variable_is_refused_and_the_nearest_named(name: str, meant: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({name: "x"})
    assert f"{name}; did you mean {meant}?" in caught.value.detail


def test_a_wrong_value_names_the_key_and_the_variable_but_not_the_value() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"ZHIKU_PORT": "eighty-secret"})
    assert "server.port" in caught.value.detail
    assert "ZHIKU_PORT" in caught.value.detail
    assert "eighty-secret" not in caught.value.detail


def test_an_unknown_key_in_a_file_is_refused(tmp_path: Path) -> None:
    extra = tmp_path / "mine.toml"
    extra.write_text("[server]\nprot = 1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"server\.prot"):
        load_settings({"ZHIKU_CONFIG": str(extra)})


@pytest.mark.parametrize("content", [None, "not = = toml"])
def test_a_missing_or_broken_file_is_named(tmp_path: Path, content: str | None) -> None:
    extra = tmp_path / "mine.toml"
    if content is not None:
        extra.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"mine\.toml"):
        load_settings({"ZHIKU_CONFIG": str(extra)})


def test_models_come_from_the_environment_as_json() -> None:
    entry = (
        '[{"name": "qwen", "provider": "openai", "model": "q", "base_url": "http://m/v1", "api_key": "k-e-y",'
        ' "max_classification": "confidential", "context_tokens": 8192, "timeout_s": 60}]'
    )
    settings = load_settings({"ZHIKU_LLM__MODELS": entry, "ZHIKU_LLM__DEFAULT": "qwen"})
    assert [model.name for model in settings.llm.models] == ["qwen"]
    silent = entry.replace('"max_classification": "confidential", ', "")
    with pytest.raises(ConfigurationError, match=r"llm\.models\.0\.max_classification"):
        load_settings({"ZHIKU_LLM__MODELS": silent})
    with pytest.raises(ConfigurationError, match="JSON list"):
        load_settings({"ZHIKU_LLM__MODELS": "qwen"})


def test_secrets_are_not_in_what_a_log_would_show() -> None:
    secret = "s3cr3t-v4lue"
    names = [name for name in variable_names() if name.endswith(("_KEY", "TOKEN", "DATABASE__URL", "REDIS__URL"))]
    assert len(names) >= 7
    values = {name: secret for name in names if name != "ZHIKU_KEY"}
    settings = load_settings(values)
    assert secret not in repr(settings) + str(settings) + settings.model_dump_json()


def test_settings_are_frozen() -> None:
    settings = load_settings({})
    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1  # type: ignore[misc]  # the point of the test


def test_every_key_of_the_tree_stands_in_the_default_file() -> None:
    tree = tomllib.loads((CONFIG_FOLDER / "default.toml").read_text(encoding="utf-8"))
    model = {
        (section, key)
        for section, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields")
        for key in field.annotation.model_fields
    } - {("llm", "models"), ("guard", "http_filters"), ("limits", "overrides")}
    assert {(section, key) for section, keys in tree.items() if isinstance(keys, dict) for key in keys} == model


def test_variable_names() -> None:
    assert variable_name(("server", "port")) == "ZHIKU_PORT"
    assert variable_name(("server", "max_body_bytes")) == "ZHIKU_SERVER__MAX_BODY_BYTES"


def test_proxies_are_addresses_and_networks() -> None:
    given = {"ZHIKU_SERVER__TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::1"}
    assert load_settings(given).server.trusted_proxies == ("10.0.0.0/8", "2001:db8::1")
    for wrong in ("proxy.local", "10.0.0.1/8", "*"):
        with pytest.raises(ConfigurationError, match=r"server\.trusted_proxies"):
            load_settings({"ZHIKU_SERVER__TRUSTED_PROXIES": wrong})
