"""The lock files hold what the code imports and what pyproject.toml names: else a fresh clone lacks a package."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = {"kbcore", "services", "ingestion", "deploy", "docs", "tests"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NOT_INSTALLED = {"sentence_transformers": "sentence-transformers", "torch": "torch"}  # the extra `local`


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirements: list[str]) -> set[str]:
    return {canonical(re.split(r"[\[<>=!~ ;]", line, maxsplit=1)[0]) for line in requirements}


def locked(name: str) -> set[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return named([line for line in lines if line and not line.startswith(("#", " "))])


def imported() -> dict[str, Path]:
    """Third-party modules, each with a file that imports it."""
    found: dict[str, Path] = {}
    for folder in ("kbcore", "services", "ingestion"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                found.update({name.split(".")[0]: file for name in names})
    return {name: file for name, file in found.items() if name not in OURS | sys.stdlib_module_names}


def test_every_import_is_installed_by_the_lock_or_an_extra() -> None:
    extras = PROJECT["project"]["optional-dependencies"].values()
    installed = locked("requirements.lock") | named([line for extra in extras for line in extra]) | {"botocore"}
    providers = packages_distributions()
    for module, file in imported().items():
        candidates = {canonical(name) for name in providers.get(module, [NOT_INSTALLED.get(module, module)])}
        assert candidates & installed, f"{file.relative_to(ROOT)} imports {module}, which requirements.lock lacks"


def test_the_locks_hold_every_dependency() -> None:
    assert named(PROJECT["project"]["dependencies"]) <= locked("requirements.lock")
    assert locked("requirements.lock") <= locked("requirements-dev.lock")
    assert named(PROJECT["dependency-groups"]["dev"]) <= locked("requirements-dev.lock")
