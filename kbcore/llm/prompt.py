"""The prompt: a fixed text with slots that are filled literally and once.

There is no template engine: a value that looks like a slot stays text, so a document cannot inject one. Sources stand
between marker lines whose code is derived from the sources themselves, so no document can contain its own end marker.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from kbcore.llm.interface import AnswerRequest, Message, Prompt, Source

_SLOT = re.compile(r"\{\{([a-z]+)\}\}")
_TURNS = 3
"""How many earlier (question, answer) pairs the model sees."""


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with each `{{slot}}` replaced, in one pass; raises `KeyError` for a slot without a value."""
    return _SLOT.sub(lambda slot: values[slot.group(1)], template)


def render(request: AnswerRequest, prompts: Path, context_tokens: int, name: str = "answer") -> Prompt:
    """System rules, examples, earlier turns, then sources and question; the last sources are left out if need be.

    `name` is that of the prompt's files. Rules and examples are the same for every question, so a server can keep them.
    """
    language = "zh" if request.language == "zh" else "en"
    system, user, examples = _template(prompts, name, language)
    warning = _warning(request, prompts, language)
    history = request.history[-_TURNS:]
    spent = estimate_tokens(system + user + warning + request.question) + sum(
        estimate_tokens(q + a) for q, a in history
    )
    spent += sum(estimate_tokens(message.content) for message in examples)
    room = context_tokens - spent - answer_tokens(request, context_tokens)
    boundary = _boundary(request)
    blocks = _fitting(request.sources, boundary, room)
    numbers = tuple(source.number for source in request.sources[: len(blocks)])
    if not all(number in numbers for number, _ in request.conflict):
        warning = ""  # one of its sides had no room
    earlier = [
        message for question, answer in history for message in (Message("user", question), Message("assistant", answer))
    ]
    values = {
        "boundary": boundary,
        "sources": "\n\n".join(blocks),
        "question": request.question,
        "conflict": warning,
    }
    return Prompt(
        messages=(Message("system", system), *examples, *earlier, Message("user", fill(user, values))),
        numbers=numbers,
        template_hash=template_hash(
            system, user, *(message.content for message in examples), _conflict_template(prompts, language)
        ),
    )


def quoted_from(request: AnswerRequest) -> Prompt:
    """What the extractive model reads: the numbered sources, all of them, and the question, without any rules."""
    boundary = _boundary(request)
    blocks = [_block(source, boundary) for source in request.sources]
    return Prompt(
        messages=(Message("user", "\n\n".join((*blocks, request.question))),),
        numbers=tuple(source.number for source in request.sources),
        template_hash=template_hash(),
    )


def template_hash(*parts: str) -> str:
    """SHA-256, hex, of a prompt's fixed text."""
    return hashlib.sha256("\n---\n".join(parts).encode()).hexdigest()


def answer_tokens(request: AnswerRequest, context_tokens: int) -> int:
    """How many tokens the answer may have: as asked, at most a quarter of the context."""
    return min(request.max_tokens or 1024, context_tokens // 4)


def estimate_tokens(text: str) -> int:
    """A generous estimate without the model's tokenizer: three bytes of UTF-8 (one Han character) are a token."""
    return len(text.encode()) // 3 + 4


def _fitting(sources: Sequence[Source], boundary: str, room: int) -> list[str]:
    blocks: list[str] = []
    for source in sources:
        block = _block(source, boundary)
        room -= estimate_tokens(block)
        if room < 0 and blocks:
            break
        blocks.append(block)
    return blocks


def _block(source: Source, boundary: str) -> str:
    place = " > ".join((source.title, *source.heading)).replace("\n", " ")
    return f"=== {source.number} {boundary} {place}\n{source.text}\n=== end {source.number} {boundary}"


def _boundary(request: AnswerRequest) -> str:
    """A code that no source contains: a document would have to contain its own hash."""
    digest = hashlib.sha256()
    for part in (request.question, *(source.title + "\n" + source.text for source in request.sources)):
        digest.update(part.encode(errors="replace") + b"\0")
    return digest.hexdigest()[:12]


def _warning(request: AnswerRequest, prompts: Path, language: str) -> str:
    """Our line that two sources contradict each other, by their numbers and days: nothing of a document is in it."""
    if not request.conflict:
        return ""
    (newer, newer_day), (older, older_day) = request.conflict
    values = {"newer": str(newer), "newerday": newer_day or "?", "older": str(older), "olderday": older_day or "?"}
    return fill(_conflict_template(prompts, language), values) + "\n\n"


@cache
def _conflict_template(prompts: Path, language: str) -> str:
    return (prompts / f"conflict.{language}.md").read_text(encoding="utf-8").strip()


@cache
def _template(prompts: Path, name: str, language: str) -> tuple[str, str, tuple[Message, ...]]:
    """What stands between the lines `---`: rules, the slots of a question, then questions and answers as examples."""
    parts = (prompts / f"{name}.{language}.md").read_text(encoding="utf-8").split("\n---\n")
    system, user, *examples = (part.strip() for part in parts)
    return (
        system,
        user,
        tuple(Message("assistant" if index % 2 else "user", example) for index, example in enumerate(examples)),
    )
