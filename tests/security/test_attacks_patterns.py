"""No regular expression can be made to run for ever: none is given by a caller, and ours cannot explode.

What makes backtracking exponential is a repetition inside a repetition that could divide the same characters between
them in many ways. Every pattern of the three packages is taken apart and looked at; questions have a greatest length.
"""

import contextlib
import importlib
import pkgutil
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any

import pytest

import ingestion
import kbcore
import services
from ingestion.load.media_type import detect
from kbcore.domain.media_types import SUPPORTED
from kbcore.errors import ItemSkipped
from kbcore.language.analyzer import ANALYZERS, terms
from kbcore.language.identifiers import identifiers
from kbcore.language.numerals import numbers
from kbcore.language.overlap import features
from kbcore.language.script import detect_language
from kbcore.language.sentences import sentences
from services.query.understand.rewrite import rewrite
from tests.api_server import Api

LEFT_OUT = re.compile(r"sentence_transformers|cross_encoder|__main__|migrations|\.child$|\.worker$|launch")
"""Modules that need extras, or do something when imported; they hold no patterns of their own."""
SAMPLE = [chr(number) for number in (*range(32, 384), *range(0x3000, 0x3020), *range(0x4E00, 0x4E40), 0xFF0C, 10, 9)]
FOREVER = 1000
TOLD_APART = {
    "ingestion.clean.cjk_spacing._STRETCH": "spaces and characters, never the same one",
    "kbcore.language.quantities._COUNTED": "a round begins with a separator, which no number holds",
    "ingestion.load.media_type._MAIL": "a round ends with a line's end, and a folded line begins with a blank",
}
"""Repetitions in repetitions whose rounds can begin at one place only, and why."""


def modules() -> Iterator[ModuleType]:
    for package in (kbcore, services, ingestion):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not LEFT_OUT.search(found.name):
                yield importlib.import_module(found.name)


def patterns() -> dict[str, re.Pattern[str]]:
    found: dict[str, re.Pattern[str]] = {}
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                found[f"{module.__name__}.{name}"] = value
    return found


def repeats(tree: Any) -> Iterator[Any]:
    """The bodies of the unbounded repetitions directly or indirectly in a parsed pattern."""
    for operation, argument in tree:
        if operation in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            if argument[1] == codes.MAXREPEAT or argument[1] > FOREVER:
                yield argument[2]
            yield from repeats(argument[2])
        elif operation is codes.SUBPATTERN:
            yield from repeats(argument[-1])
        elif operation is codes.BRANCH:
            for branch in argument[1]:
                yield from repeats(branch)
        elif operation in (codes.ASSERT, codes.ASSERT_NOT):
            yield from repeats(argument[1])
        # What an atomic group or a possessive repetition has taken it never gives back: nothing to divide anew.


def characters(tree: Any) -> set[str]:
    """Which of the sample a body consists of, whatever the order."""
    found: set[str] = set()
    for operation, argument in tree:
        if operation in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            found |= characters(argument[2])
        elif operation is codes.SUBPATTERN:
            found |= characters(argument[-1])
        elif operation is codes.BRANCH:
            found |= {each for branch in argument[1] for each in characters(branch)}
        elif operation in (codes.LITERAL, codes.NOT_LITERAL, codes.IN, codes.ANY):
            found |= {each for each in SAMPLE if _matches(operation, argument, each)}
    return found


def _matches(operation: Any, argument: Any, character: str) -> bool:
    if operation is codes.ANY:
        return character != "\n"
    if operation in (codes.LITERAL, codes.NOT_LITERAL):
        return (chr(argument) == character) is (operation is codes.LITERAL)
    negated, hit = False, False
    for kind, value in argument:
        if kind is codes.NEGATE:
            negated = True
        elif kind is codes.LITERAL:
            hit |= chr(value) == character
        elif kind is codes.RANGE:
            hit |= value[0] <= ord(character) <= value[1]
        elif kind is codes.CATEGORY:
            hit |= _in_category(str(value), character)
    return hit is not negated


def _in_category(name: str, character: str) -> bool:
    by_name = {
        "DIGIT": character.isdigit(),
        "SPACE": character.isspace(),
        "WORD": character.isalnum() or character == "_",
    }
    answer = next(value for key, value in by_name.items() if name.endswith(key))
    return answer is not ("NOT" in name)


def explodes(body: Any) -> bool:
    """Whether a repeated body holds another repetition and no character of its own to tell one round from the next."""
    inner = list(repeats(body))
    if not inner:
        return False
    repeated = set().union(*(characters(each) for each in inner))
    items = [item for item in _flat(body) if item[0] in (codes.LITERAL, codes.IN, codes.NOT_LITERAL)]
    return not any(not (characters([item]) & repeated) for item in items)


def _flat(tree: Any) -> Iterator[Any]:
    """What must stand in every round: the items of the body itself and of groups in it."""
    for operation, argument in tree:
        if operation is codes.SUBPATTERN:
            yield from _flat(argument[-1])
        elif operation is codes.ATOMIC_GROUP:  # what it has taken it never gives back
            yield from _flat(argument)
        elif operation is codes.MAX_REPEAT and argument[0] >= 1:
            yield from _flat(argument[2])
        else:
            yield operation, argument


def test_no_pattern_of_ours_can_explode() -> None:
    found = patterns()
    assert len(found) > 40
    bad = [name for name, each in found.items() if any(explodes(body) for body in repeats(parser.parse(each.pattern)))]
    assert set(bad) == set(TOLD_APART)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(?:\w+\s?)*x", r"([a-z]*)*y", r"(?:(?:ab?)+)*c"])
def test_a_pattern_that_explodes_is_found(pattern: str) -> None:
    assert any(explodes(body) for body in repeats(parser.parse(pattern)))


@pytest.mark.parametrize("pattern", [r"[a-z]+(?:-[a-z]+)*", r"(?:\d+,)*", r"a+b+"])
def test_a_pattern_with_a_separator_is_not(pattern: str) -> None:
    assert not any(explodes(body) for body in repeats(parser.parse(pattern)))


HOSTILE = [
    unit * (4000 // len(unit))
    for unit in (
        "a",
        "1",
        "1.",
        "a1-",
        "a1_/",
        " ",
        "\u3000 ",
        "!",
        "。",
        "年",
        "一",
        "a\u0301",
        "((",
        "''",
        "it ",
        "\U0001f600",
    )
]


@pytest.mark.parametrize("question", HOSTILE, ids=lambda text: unicodedata.name(text[0], "?")[:30])
def test_the_longest_question_of_one_thing_is_analysed(question: str) -> None:
    """It ends: a pattern that exploded would run past any timeout."""
    for analyzer in ANALYZERS:
        assert len(terms(question, analyzer)) <= 2 * len(question)
    rewrite(question, [(question, question)] * 3)
    identifiers(question)
    numbers(question)
    features(question)
    sentences(question)
    assert detect_language(question) in ("zh", "en")


@pytest.mark.parametrize("unit", ["<!-- a -->", "<!--", "<?xml ?>", "a: b\n ", "a:\n", " "])
def test_what_a_file_begins_with_is_recognised_in_the_end(unit: str, tmp_path: Path) -> None:
    """A text or not; what matters is that it is decided."""
    file = tmp_path / "a"
    file.write_text(unit * (8192 // len(unit)))
    with contextlib.suppress(ItemSkipped):
        assert detect(file, "a.txt") in SUPPORTED


def test_longer_questions_are_refused_before_anything_reads_them(api: Api) -> None:
    asker = api.person("lina")
    for path, name in (("/v1/search", "query"), ("/v1/ask", "question")):
        answer = asker.post(path, json={name: "a1-" * 2000})
        assert (answer.status_code, answer.json()["code"]) == (422, "query_too_long")
