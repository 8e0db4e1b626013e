"""docs/errors.md and the code name the same error codes."""

import re
from pathlib import Path

from kbcore import errors
from kbcore.errors import ZhikuError
from services.api.errors import CODES_OF_STATUS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "errors.md"
NOT_SAID_TO_CLIENTS = {"configuration_error", "item_error", "blob_not_found"}
NOT_LITERAL = {"superseded", "cancelled"}
"""Codes that stand in SQL or in a constant, where this test does not look."""

IN_SOURCE = re.compile(
    r"""code(?::\ str)?\s*=\s*"(?P<code>[a-z_]+)"            # on a class, or where it is raised
    | \bNotFound\("(?P<kind>[a-z_]+)"\)
    | \bProblem\(\d+,\ "(?P<problem>[a-z_]+)"
    | \bItem(?:Failed|Skipped)\(\s*"(?P<item>[a-z_]+)" """,
    re.VERBOSE,
)


def test_every_code_is_explained_and_every_explained_code_exists() -> None:
    explained = set(re.findall(r"`([a-z_]+)`", _first_column()))
    raised = (_raised() | NOT_LITERAL) - NOT_SAID_TO_CLIENTS
    assert raised - explained == set(), "explain these in docs/errors.md"
    assert explained - raised == set(), "nothing raises these any more"


def _first_column() -> str:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return "\n".join(line.split("|")[1] for line in lines if line.startswith("|"))


def _raised() -> set[str]:
    found = set(CODES_OF_STATUS.values())
    found |= {
        error.code for error in vars(errors).values() if isinstance(error, type) and issubclass(error, ZhikuError)
    }
    for package in (
        "kbcore",
        "ingestion",
        *(
            f"services/{part}"
            for part in ("api", "auth", "evaluation", "guard", "library", "limits", "provisioning", "query", "web")
        ),
    ):
        for file in (ROOT / package).rglob("*.py"):
            for match in IN_SOURCE.finditer(file.read_text(encoding="utf-8")):
                found.add(match["code"] or match["problem"] or match["item"] or f"{match['kind']}_not_found")
    return found
