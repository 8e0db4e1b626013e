"""What an answer is, and the events that make it up as it is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kbcore.domain.conversation import Citation
from kbcore.domain.trace import Prompted, TracedConflict
from kbcore.llm.interface import Usage
from kbcore.observability.metrics import answers, conflicts
from services.query.found import Found


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The first event: what the answer will be written from, and the question as it was searched.

    `question` is the asker's as it may be kept: without what a content filter masked; `filtered` is that filter's word.
    """

    found: Found
    standalone: str = ""
    question: str | None = None
    filtered: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """Verified text, a statement at a time, and the citations that it is the first to use."""

    text: str
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The last event: the whole answer.

    `reason` says why there is none (`abstained`), or that it was cut short. `named` are the ids of documents that an
    abstention names as the closest. `finish_reason` is `stop` or `length`. `as_of` is the moment asked about, None for
    the present and for an epoch. `dropped` and `masked` count what the guard kept back: the model's
    statements by fault, personal data by kind. `given_before` is the trace id of the
    answer that this one repeats.
    `conflict` are two documents that contradict each other on this.
    """

    text: str
    citations: tuple[Citation, ...]
    abstained: bool
    reason: str | None
    model: str
    routed_because: str
    epoch: int
    usage: Usage
    finish_reason: str = "stop"
    named: tuple[str, ...] = ()
    as_of: datetime | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    masked: Mapping[str, int] = field(default_factory=dict)
    given_before: str | None = None
    conflict: TracedConflict | None = None


def count_answer(answer: Answer) -> None:
    """In the metrics."""
    answers.labels("abstained" if answer.abstained else "answered").inc()
    if answer.conflict is not None:
        conflicts.labels(answer.conflict.shown.value).inc()


Event = Retrieved | Prompted | Said | Answer
"""`Prompted` comes before a model is asked; a second one, if that model does not answer."""
