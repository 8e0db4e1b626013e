"""Rewriting by a generating model, where one is configured for it. What it says is checked; the rules are the rest.

The model is told the questions of the conversation only: no answers, so nothing of any document.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from kbcore.errors import Unavailable
from kbcore.language.frame import question_language
from kbcore.language.identifiers import identifiers
from kbcore.llm.interface import Message
from kbcore.llm.prompt import fill
from services.query.understand.rewrite import LOOK_BACK

Rewriter = Callable[[Sequence[Message]], str]
"""Asks a model and returns all that it says. Raises `Unavailable`."""

_LONGEST = 300
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")

_log = structlog.get_logger(__name__)


def reworded(question: str, history: Sequence[tuple[str, str]], rewriter: Rewriter, prompts: Path) -> str | None:
    """The question as the model completes it; None if it does not answer, or says what nobody in the thread said."""
    earlier = [asked for asked, _ in history[-LOOK_BACK:]]
    language = question_language(question)
    system, _, user = (prompts / f"rewrite.{language}.md").read_text(encoding="utf-8").partition("\n---\n")
    listed = "\n".join(f"- {' '.join(asked.split())}" for asked in earlier)
    asked = fill(user.strip(), {"history": listed, "question": " ".join(question.split())})
    try:
        said = rewriter([Message("system", system.strip()), Message("user", asked)]).strip()
    except Unavailable as error:
        _log.warning("the question is rewritten by rules", detail=error.detail)
        return None
    return said if _is_faithful(said, question, earlier) else None


def _is_faithful(said: str, question: str, earlier: Sequence[str]) -> bool:
    known = "\n".join((*earlier, question))
    return (
        bool(said)
        and said.isprintable()
        and len(said) <= max(_LONGEST, len(question))
        and question_language(said) == question_language(question)
        and set(_NUMBER.findall(said)) <= set(_NUMBER.findall(known))
        and identifiers(said) <= identifiers(known)
    )
