"""`docs/security.md` names real tests, and has a row for every attack of this list."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ATTACKS = (
    "CVE-2026-45398",
    "CVE-2026-44554",
    "CVE-2026-61644",
    "CVE-2026-54602",
    "CVE-2026-55418",
    "CVE-2026-30857",
    "CVE-2026-42277",
    "CVE-2026-63178",
    "CVE-2026-42456",
    "CVE-2025-69286",
    "CVE-2026-61808",
    "CVE-2026-39413",
    "CVE-2026-40351",
    "CVE-2025-64513",
    "CVE-2026-26190",
    "CVE-2026-34162",
    "CVE-2026-42344",
    "CVE-2026-42345",
    "CVE-2025-56520",
    "CVE-2026-30247",
    "CVE-2026-45400",
    "CVE-2026-45312",
    "CVE-2026-24770",
    "CVE-2024-12433",
    "CVE-2026-30861",
    "GHSA-jv5f-3mqh-cxwf",
    "CVE-2026-41318",
    "CVE-2026-45314",
    "GHSA-32jh-39m7-8x84",
)
NAMED = sorted(set(re.findall(r"`([a-z0-9_/]+\.py)::(\w+)`", PAGE)))
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| advisory", "| what |"))]


@pytest.mark.parametrize(("file", "test"), NAMED, ids=lambda value: value)
def test_every_named_test_exists(file: str, test: str) -> None:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_attack_has_one_row_and_no_other_is_named() -> None:
    named = re.findall(r"CVE-\d{4}-\d+|GHSA(?:-\w{4}){3}", "\n".join(ROWS))
    assert sorted(named) == sorted(ATTACKS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:40])
def test_every_row_has_a_proof(row: str) -> None:
    assert "::" in row or "python -m" in row


def test_the_list_is_that_of_what_was_collected(shared_data: Path) -> None:
    pains = shared_data.parent / "facts" / "pains.md"
    if not pains.is_file():
        pytest.skip("the collected advisories are not here")
    text = pains.read_text(encoding="utf-8").split("## What attackers did")[1]
    numbers = set(re.findall(r"(?:CVE-\d{4})?-(\d{5})\b", text))
    assert numbers <= {attack.rsplit("-", 1)[1] for attack in ATTACKS}
