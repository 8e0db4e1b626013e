"""The notice below an answer: that two documents contradict each other, and what each of them says."""

import re
from collections.abc import Callable, Generator

from kbcore.domain.trace import ConflictShown, TracedConflict
from kbcore.language.script import detect_language
from kbcore.llm.interface import AnswerRequest
from services.guard.guard import QUOTING
from services.query.answer import Said
from services.query.cite import Citer
from services.query.conflicts import Conflict, Side
from services.query.generate import Outcome
from services.query.support import Stretch

_TEXT = {
    "zh": {
        "lead": "注意：以下文档对此说法不一，请以有权解释的部门为准：",
        "side": "《{title}》（第 {version} 版{date}）：“{quote}”",
        "in_force": "，自 {day} 起生效",
        "made": "，{day} 制定",
    },
    "en": {
        "lead": "Note: these documents contradict each other on this; ask who is responsible for them:",
        "side": "{title} (version {version}{date}): “{quote}”",
        "in_force": ", in force from {day}",
        "made": ", of {day}",
    },
}


def notice(question: str, conflict: Conflict) -> tuple[str, tuple[str, str]]:
    """In the question's language: that the documents contradict each other, and a line for each side, newest first."""
    words = _TEXT[detect_language(question)]
    lines = []
    for side in conflict.sides:
        date = words["in_force" if side.passage.effective_from else "made"].format(day=side.day) if side.day else ""
        values = {"title": side.passage.title, "version": str(side.passage.version), "date": date, "quote": side.quote}
        lines.append(re.sub(r"\{(\w+)\}", lambda slot, values=values: values[slot.group(1)], words["side"]))  # type: ignore[misc]
    return words["lead"], (lines[0], lines[1])


def show_conflict(
    question: str,
    conflict: Conflict | None,
    model: str,
    citer: Citer,
    outcome: Outcome,
    fits: Callable[[str], bool],
    passes: Callable[[str], bool],
) -> Generator[Said, None, TracedConflict | None]:
    """Add the notice unless a generating model's answer cites both sides already; returns what the trace keeps of it.

    Quotes alone do not say how they relate.

    There is none where nothing was answered, or the answer broke off; `fits` says whether the client's own limits
    leave room for a longer answer, `passes` whether the guard lets a line out.
    """
    if conflict is None:
        return None
    chunks = (conflict.sides[0].passage.chunk_id, conflict.sides[1].passage.chunk_id)
    if model != QUOTING and all(_is_cited(side, citer) for side in conflict.sides):
        return TracedConflict(conflict.kind, ConflictShown.CITED, chunks)
    if not outcome.text or outcome.failed or outcome.finish_reason != "stop":
        return TracedConflict(conflict.kind, ConflictShown.LEFT_OUT, chunks)
    lead, lines = notice(question, conflict)
    if not (fits("\n\n".join((outcome.text, lead, *lines))) and all(map(passes, lines))):
        return TracedConflict(conflict.kind, ConflictShown.LEFT_OUT, chunks)
    text = f"\n\n{lead}"
    for side, line in zip(conflict.sides, lines, strict=True):
        known = len(citer.citations)
        text += f"\n{line}{citer.mark(side.passage, Stretch(side.start, side.end, 1.0)).marker}"
        outcome.text += text
        yield Said(text, citer.citations[known:])
        text = ""
    return TracedConflict(conflict.kind, ConflictShown.ADDED, chunks)


def fits_into(request: AnswerRequest, count_tokens: Callable[[str], int]) -> Callable[[str], bool]:
    """Whether an answer keeps to the client's `max_tokens` and holds none of its `stop` words."""

    def fits(text: str) -> bool:
        if any(word and word in text for word in request.stop):
            return False
        return request.max_tokens is None or count_tokens(text) <= request.max_tokens

    return fits


def _is_cited(side: Side, citer: Citer) -> bool:
    """Whether a citation touches the very sentence."""
    start, end = side.passage.start + side.start, side.passage.start + side.end
    return any(
        each.chunk_id == side.passage.chunk_id and each.start < end and start < each.end for each in citer.citations
    )
