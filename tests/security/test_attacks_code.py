"""Nothing that comes from outside is ever run: no templates, pickles, shells, no SQL made of values, no markup."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.load import frames
from ingestion.load.frames import MalformedAnswerError, parse_answer
from kbcore.domain.chunk import ElementKind
from kbcore.llm.interface import AnswerRequest, Source
from kbcore.llm.prompt import render
from kbcore.settings import CONFIG_FOLDER
from services.web.pages import HEADERS, STATIC

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for top in ("kbcore", "services", "ingestion") for path in (ROOT / top).rglob("*.py"))
EXECUTING_MODULES = {"pickle", "dill", "cloudpickle", "marshal", "shelve", "jinja2", "mako", "yaml", "joblib"}
EXECUTING_CALLS = {"eval", "exec", "compile", "__import__", "execfile"}
TEMPLATES = (
    "{{7*7}}",
    "{{question}}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{x}}{% endfor %}",
    "${7*7}",
    "#{7*7}",
    "{0.__class__}",
    "{question}",
    "%(question)s",
    "\\g<0>\\1",
)


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def test_nothing_that_executes_data_is_imported_or_called() -> None:
    found = []
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [f"{path}: imports {name}" for name in imported(tree) if name in EXECUTING_MODULES]
        for call in calls(tree):
            if isinstance(call.func, ast.Name) and call.func.id in EXECUTING_CALLS:
                found.append(f"{path}:{call.lineno}: {call.func.id}")
            if any(word.arg == "shell" for word in call.keywords):
                found.append(f"{path}:{call.lineno}: a shell")
            if any(word.arg == "allow_pickle" and not _is_false(word.value) for word in call.keywords):
                found.append(f"{path}:{call.lineno}: pickles allowed")
    assert not found


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


def test_sql_is_never_made_of_values() -> None:
    """`sa.text` takes constants; what is put into them are other constants, by name, and functions of constants."""
    found = []
    for path in SOURCES:
        if "migrations" in path.parts:
            continue
        for call in calls(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(call.func, ast.Attribute)
                and call.func.attr == "text"
                and ast.unparse(call.func) == "sa.text"
            ):
                (statement,) = call.args
                if isinstance(statement, ast.JoinedStr):
                    parts = [part.value for part in statement.values if isinstance(part, ast.FormattedValue)]
                    found += [f"{path}:{call.lineno}: {ast.unparse(each)}" for each in parts if not _constant(each)]
                elif not _constant(statement):
                    found.append(f"{path}:{call.lineno}: {ast.unparse(statement)[:60]}")
    assert not found


def _constant(node: ast.expr) -> bool:
    """A literal, a name in capitals, an enumeration's value, or something made of only those."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Name):
        return node.id.isupper()
    if isinstance(node, ast.Attribute):
        return node.attr.isupper() or (node.attr == "value" and _constant(node.value)) or _is_enum(node)
    if isinstance(node, ast.Call):
        return all(_constant(each) for each in (*node.args, *(word.value for word in node.keywords)))
    if isinstance(node, ast.BinOp):
        return _constant(node.left) and _constant(node.right)
    if isinstance(node, ast.JoinedStr):
        return all(_constant(part.value) for part in node.values if isinstance(part, ast.FormattedValue))
    if isinstance(node, ast.GeneratorExp | ast.ListComp):
        return all(_constant(each.iter) or isinstance(each.iter, ast.Name) for each in node.generators)
    return False


def _is_enum(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id[:1].isupper()


@pytest.mark.parametrize("hostile", TEMPLATES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_titles_headings_and_texts_are_no_templates(hostile: str, language: str) -> None:
    source = Source(1, f"T{hostile}", f"X{hostile}", (f"H{hostile}",), 0.9, "en")
    prompt = render(AnswerRequest(f"Q{hostile}", language, [source]), CONFIG_FOLDER / "prompts", 4096).messages
    text = prompt[-1].content
    for place in "TXHQ":
        assert f"{place}{hostile}" in text
    assert "49" not in text


@pytest.mark.parametrize(
    "answer",
    [
        {"elements": [["text", "x", 1, None]], "media_type": "../../etc/passwd"},
        {"elements": [["../../x", "x", 1, None]], "media_type": "text/plain"},
        {"elements": [["text", {"file": "../../x"}, 1, None]], "media_type": "text/plain"},
        {"elements": [["text", "x", "../../x", None]], "media_type": "text/plain"},
        {"elements": [["text", "x", 1, None, "../../images/x.png"]], "media_type": "text/plain"},
        {"elements": [["text", "x", 1, None]], "media_type": "text/plain", "title": ["../../x"]},
        {"elements": "../../x", "media_type": "text/plain"},
        {"files": {"../../x": "y"}},
    ],
)
def test_a_parsers_answer_names_no_files(answer: dict[str, object]) -> None:
    """What a parser answers is text and numbers; a place in a file system has no field to stand in."""
    with pytest.raises(MalformedAnswerError):
        parse_answer(frames.parse_body(json.dumps(answer).encode()))


def test_a_path_in_a_parsed_text_stays_a_text() -> None:
    body = {"elements": [["text", "../../x", 1, None]], "media_type": "text/plain", "title": "../../y", "pages": 1}
    loaded = parse_answer(frames.parse_body(json.dumps(body).encode()))
    assert (loaded.elements[0].text, loaded.elements[0].kind, loaded.title) == ("../../x", ElementKind.TEXT, "../../y")


SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|javascript:|createContextual"
    r"|DOMParser|setTimeout\(\s*[\"'`]|\.on[a-z]+\s*=\s*[\"'`]|import\("
)


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_the_page_makes_no_markup_of_strings(path: Path) -> None:
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    assert not [f"{number}: {line}" for number, line in lines if SINKS.search(line)]


def test_the_page_loads_nothing_from_elsewhere_and_no_pictures_of_documents() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r"(?:src|href)=\"(?!/assets/|#|data:,)[^\"]*\"", page)
    assert not re.search(r"<script(?![^>]*src=)|style=|\son[a-z]+=", page)
    scripts = "".join(path.read_text(encoding="utf-8") for path in STATIC.glob("*.js"))
    assert not re.search(r"element\(\s*\"(?:img|iframe|object|embed|video|audio|link|script|base)\"", scripts)
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))
