"""The page's words: complete in Chinese and in English, and none that the page asks for is missing."""

import re
from pathlib import Path
from typing import get_args

import pytest

from kbcore.domain.document import Classification, Origin, VersionState
from kbcore.domain.principal import Scope, UserKind
from kbcore.metadata.generations import GenerationState
from kbcore.permissions.explain import Rule
from kbcore.permissions.policy import Role
from services.api.schemas.audit import Why

STATIC = Path("services/web/static")
_WORD = re.compile(r'(?P<name>\w+):\s*"(?P<text>(?:[^"\\]|\\.)*)"')


def words(language: str) -> dict[str, str]:
    source = (STATIC / f"words_{language}.js").read_text()
    found = [(match["name"], match["text"]) for match in _WORD.finditer(source)]
    assert len(found) == len(dict(found)), "a word is there twice"
    return dict(found)


def slots(text: str) -> list[str]:
    return sorted(set(re.findall(r"\{(\w+)\}", text)))


def test_both_languages_have_the_same_words_with_the_same_slots() -> None:
    chinese, english = words("zh"), words("en")
    said_by_the_server = {name for name in chinese if name.startswith("reason_")}  # in English already
    assert set(chinese) - said_by_the_server == set(english)
    for name, text in english.items():
        assert slots(text) == slots(chinese[name]), name
        assert text.strip(), name


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_word_that_the_page_asks_for_is_there(language: str) -> None:
    known = words(language)
    asked = set()
    for path in STATIC.iterdir():
        if path.suffix == ".js":
            asked |= set(re.findall(r'\bwords\("(\w+)"', path.read_text()))
        elif path.suffix == ".html":
            asked |= set(re.findall(r'data-(?:text|label|placeholder)="(\w+)"', path.read_text()))
    assert asked > {"send", "versions"}  # else nothing was looked at
    assert asked - set(known) == set()


def test_every_file_of_the_page_is_asked_for_by_it() -> None:
    sources = "".join(path.read_text() for path in STATIC.iterdir())
    asked = set(re.findall(r"/assets/([\w.]+)", sources))
    assert asked == {path.name for path in STATIC.iterdir()} - {"index.html"}


def test_words_of_families_are_complete() -> None:
    """Of names that the page puts together from what the server says."""
    for known in (words("zh"), words("en")):
        families = [
            *(f"state_{state}" for state in VersionState),
            *(f"origin_{origin}" for origin in Origin),
            *(f"level_{level.word}" for level in Classification),
            *(f"index_{state}" for state in GenerationState),
            *(f"diff_{kind}" for kind in ("added", "removed", "changed", "moved", "unchanged")),
            *(f"stale_{status}" for status in ("replaced", "retracted", "erased")),
            *(f"scope_{scope}" for scope in ("search", "ask", "read", "write", "all")),
            *(f"refused_{why}" for why in ("leak", "too_few_questions", "below_min_ndcg", "drop")),
            *(f"gate_{verdict}" for verdict in ("pending", "passed", "refused")),
            *(f"role_{role.value}" for role in Role),
            *(f"rule_{rule}" for rule in Rule),
            *(f"why_policy_{counts}" for counts in ("space", "document", "document_and_space")),
            *(f"scope_{scope}" for scope in Scope),
            *(f"kind_{kind}" for kind in UserKind),
            *(f"broken_{why}" for why in get_args(Why)),
            *(f"trace_{kind}" for kind in ("search", "ask")),
            *(f"outcome_{outcome}" for outcome in ("found", "answered", "abstained", "failed", "left")),
        ]
        assert set(families) - set(known) == set()


def test_every_kind_of_audit_event_has_words_and_a_family_to_choose() -> None:
    """As docs/audit.md lists them; a kind of another part is shown by its family, and else as it is."""
    kinds = set(re.findall(r"`([a-z]+\.[a-z_]+)`", Path("docs/audit.md").read_text().split("## How it is kept")[0]))
    kinds -= {kind for kind in kinds if kind.startswith("audit.") and kind != "audit.verified"}  # settings
    assert len(kinds) > 15
    audit = (STATIC / "audit.js").read_text()
    families = set(re.findall(r'"(\w+)"', audit.split("const FAMILIES = [")[1].split("]")[0]))
    for known in (words("zh"), words("en")):
        assert {f"audit_{kind.replace('.', '_')}" for kind in kinds} - set(known) == set()
        assert {f"audit_{family}" for family in families} - set(known) == set()
    assert {kind.split(".")[0] for kind in kinds} - families == set()
