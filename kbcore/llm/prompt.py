"""The prompt: a fixed text with slots that are filled literally and once.

There is no template engine: a value that looks like a slot stays text, so a document cannot inject one. Sources stand
between marker lines whose code is derived from the sources themselves, so no document can contain its own end marker.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kbcore.llm.interface import AnswerRequest, Source

_SLOT = re.compile(r"\{\{([a-z]+)\}\}")
_TURNS = 3
"""How many earlier (question, answer) pairs the model sees."""


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; `role` is `system`, `user` or `assistant`."""

    role: str
    content: str


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with each `{{slot}}` replaced, in one pass; raises `KeyError` for a slot without a value."""
    return _SLOT.sub(lambda slot: values[slot.group(1)], template)


def messages(request: AnswerRequest, prompts: Path, context_tokens: int) -> list[Message]:
    """System rules, earlier turns, then sources and question; the last sources are left out if they do not fit."""
    system, user = _template(prompts, "zh" if request.language == "zh" else "en")
    history = request.history[-_TURNS:]
    spent = estimate_tokens(system + user + request.question) + sum(estimate_tokens(q + a) for q, a in history)
    room = context_tokens - spent - answer_tokens(request, context_tokens)
    boundary = _boundary(request)
    earlier = [
        message for question, answer in history for message in (Message("user", question), Message("assistant", answer))
    ]
    values = {
        "boundary": boundary,
        "sources": "\n\n".join(_fitting(request.sources, boundary, room)),
        "question": request.question,
    }
    return [Message("system", system), *earlier, Message("user", fill(user, values))]


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


@cache
def _template(prompts: Path, language: str) -> tuple[str, str]:
    system, _, user = (prompts / f"answer.{language}.md").read_text(encoding="utf-8").partition("\n---\n")
    return system.strip(), user.strip()
