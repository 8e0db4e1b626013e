"""docker-compose.yml against the settings and the rules of deploy/README.md."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kbcore.settings import load_settings, variable_names

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "api", "worker")
THEIRS = tuple(name for name in SERVICES if name not in OURS)
SECRET = re.compile(r"\$\{([A-Z_]+)(?::\?[^}]+)?\}")


def test_the_processes_are_those_of_the_architecture() -> None:
    assert set(SERVICES) == {"migrate", "api", "worker", "postgres", "redis", "milvus", "etcd", "minio"}


def test_every_variable_is_a_setting() -> None:
    used = set(re.findall(r"\bZHIKU_[A-Z0-9_]+", TEXT))
    assert len(used) >= 5
    assert used <= variable_names()


@pytest.mark.parametrize("name", OURS)
def test_the_environment_loads_as_settings(name: str) -> None:
    environment = {key: SECRET.sub("x", value) for key, value in SERVICES[name]["environment"].items()}
    settings = load_settings(environment)
    assert settings.profile == "production"
    assert settings.database.url.get_secret_value().startswith("postgresql://")
    assert settings.redis.url.get_secret_value().startswith("redis://")
    assert settings.milvus.uri == "http://milvus:19530"


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_has_a_default(name: str) -> None:
    for key, value in (SERVICES[name].get("environment") or {}).items():
        secrets = re.findall(r"\$\{[^}]*\}", str(value))
        assert all(":?" in secret for secret in secrets), f"{name}: {key} must refuse to start without its secret"
        if "PASSWORD" in key or "SECRET" in key or key == "REDISCLI_AUTH":
            assert secrets, f"{name}: {key} has its value in the file"


@pytest.mark.parametrize("name", THEIRS)
def test_images_are_pinned(name: str) -> None:
    assert re.fullmatch(r"[a-z/]+:[A-Za-z]*\.?v?\d[\w.-]*\d[\w.-]*", SERVICES[name]["image"])


def test_milvus_is_new_enough_and_its_ports_are_closed() -> None:
    version = tuple(map(int, SERVICES["milvus"]["image"].split(":v")[1].split(".")))
    assert version >= (2, 6, 10)
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["api"]
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["api"]["ports"])
    assert COMPOSE["networks"]["data"]["internal"] is True
    assert all(SERVICES[name]["networks"] == ["data"] for name in THEIRS)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined_and_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "restart"} <= service.keys()
    assert name == "migrate" or service["healthcheck"]["test"]
    assert name not in OURS or service["read_only"] is True


def test_volumes_are_named() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_api_and_worker_wait_for_the_migration() -> None:
    for name in ("api", "worker"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_the_image_is_not_root_and_has_no_secret() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert "USER 10001:10001" in lines
    assert all(re.search(r"python:\d+\.\d+\.\d+-", line) for line in lines if line.startswith("FROM"))
    assert not [line for line in lines if re.search(r"PASSWORD|TOKEN|API_KEY", line)]


def test_what_the_image_copies_exists() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    assert copied
    assert all((ROOT / source).exists() for sources in copied for source in sources)


GPU: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.gpu.yml").read_text(encoding="utf-8"))


def test_the_gpu_file_adds_one_service_and_the_settings_that_name_it() -> None:
    assert set(GPU["services"]) == {"api", "vllm"}
    environment = {**SERVICES["api"]["environment"], **GPU["services"]["api"]["environment"]}
    settings = load_settings({key: SECRET.sub("x", value) for key, value in environment.items()})
    (model,) = settings.llm.models
    command = GPU["services"]["vllm"]["command"]
    assert settings.llm.default == model.name
    assert model.base_url == "http://vllm:8000/v1"
    assert model.model == command[command.index("--served-model-name") + 1]
    assert str(model.context_tokens) == command[command.index("--max-model-len") + 1]


def test_the_model_on_the_gpu_is_confined_and_has_no_way_out() -> None:
    service = GPU["services"]["vllm"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "restart"} <= service.keys()
    assert service["healthcheck"]["test"]
    assert service["networks"] == ["data"]
    assert "ports" not in service
    assert re.fullmatch(r"[a-z/-]+:v\d[\d.]*\d", service["image"])
    assert service["environment"]["HF_HUB_OFFLINE"] == "1"
    assert all(":?" in secret for secret in re.findall(r"\$\{[^}]*\}", str(GPU)))
    assert [volume.split(":")[0] for volume in service["volumes"]] == list(GPU["volumes"])
    assert all(volume.endswith(":ro") for volume in service["volumes"])
