"""Dated: an answer about another day than today says so before anything else."""

from collections.abc import Generator
from dataclasses import replace

from kbcore.language.frame import question_language
from services.query.answer import Answer, Event, Said
from services.query.found import Found


def dated(events: Generator[Event, None, None], question: str, found: Found) -> Generator[Event, None, None]:
    """The same events; if time words moved the question, with the day in front of the answer. Says nothing else."""
    moment = found.understood.effective_at
    if moment is None:
        yield from events
        return
    day = moment.date().isoformat()
    words = f"以下按 {day} 有效的版本回答。\n" if question_language(question) == "zh" else f"As in force on {day}:\n"
    pending = words
    try:
        for event in events:
            if isinstance(event, Said):
                yield replace(event, text=pending + event.text)
                pending = ""
            elif isinstance(event, Answer):
                yield replace(event, text=words + event.text)
            else:
                yield event
    finally:
        events.close()
