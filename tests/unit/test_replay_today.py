"""What is searched once more for a replay, and how secret it counts as."""

from datetime import UTC, datetime

import pytest

from kbcore.domain.document import Classification
from kbcore.domain.trace import Trace, TraceKind
from kbcore.settings import load_settings
from services.library.replay_today import request_today

NOWHERE = {"time": None, "snapshot": None, "epoch": None, "effective_at": None}


@pytest.mark.parametrize(
    ("history", "level"),
    [((), Classification.PUBLIC), ((("turn", True),), Classification.RESTRICTED), (None, Classification.RESTRICTED)],
)
def test_a_question_that_followed_others_may_quote_them(
    history: tuple[tuple[str, bool], ...] | None, level: Classification
) -> None:
    settings = load_settings({}).answer
    request = request_today(_trace(history), "What is the word of the day?", settings)
    assert (request.query, request.top_k) == ("What is the word of the day?", settings.passages)
    assert request.thread_level is level


def _trace(history: tuple[tuple[str, bool], ...] | None) -> Trace:
    return Trace(
        id="t",
        trace_id="x",
        user_id="u",
        acting=None,
        kind=TraceKind.ASK,
        question="And what is it?",
        asked={"spaces": None, "tags": [], "language": None, "metadata": {}, "as_of": NOWHERE},
        history=history,
        epoch=1,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        as_of_past=False,
        replaced_too=False,
        dated=False,
        generation_id=1,
        embedding="model",
        analyzer="zh-en",
        legs={},
        refused=(),
        passages=(),
        took_ms={},
    )
