"""Which questions of a golden set can be asked now, by whom, and what would answer them."""

from dataclasses import dataclass

from kbcore.bootstrap import Platform
from kbcore.domain.evaluation import GoldenQuestion, GoldenSet
from kbcore.domain.principal import Caller
from kbcore.metadata import golden_sets
from kbcore.metadata.access import resolve_caller
from kbcore.metadata.golden_sets import WantedDocument


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A question that could not be judged: its asker is gone (`asker_gone`) or reads none of its documents any more."""

    id: str
    why: str


@dataclass(frozen=True, slots=True)
class Judgeable:
    """A question, who asks it, and those of its documents that may still be read: none if it is not answerable."""

    question: GoldenQuestion
    asker: Caller
    relevant: frozenset[str]


def judgeable(platform: Platform, golden: GoldenSet) -> tuple[list[Judgeable], list[LeftOut]]:
    """The questions that can be judged now, in order, and the others with the reason."""
    found, left_out = [], []
    wanted = [(item.user_id, [WantedDocument(id=document) for document in item.documents]) for item in golden.questions]
    with platform.database.snapshot() as connection:
        callers = {user_id: resolve_caller(connection, user_id) for user_id in {user_id for user_id, _ in wanted}}
        readable = golden_sets.resolve_each(connection, wanted)
    for question, documents in zip(golden.questions, readable, strict=True):
        asker = callers[question.user_id]
        relevant = frozenset(document for document in documents if document is not None)
        if asker is None:
            left_out.append(LeftOut(question.id, "asker_gone"))
        elif question.answerable and not relevant:
            left_out.append(LeftOut(question.id, "no_readable_document"))
        else:
            found.append(Judgeable(question, asker, relevant))
    return found, left_out
