"""Abstain: when the documents do not say, say so, and say what was looked at."""

from collections.abc import Sequence

from kbcore.language.frame import question_language
from kbcore.language.identifiers import identifiers
from kbcore.language.script import detect_language
from kbcore.settings import AnswerSettings
from services.query.found import Ranked

NOTHING_FOUND = "nothing_found"
EVIDENCE_TOO_WEAK = "evidence_too_weak"
NO_ANSWER_IN_SOURCES = "no_answer_in_sources"
ANSWER_UNSUPPORTED = "answer_unsupported"

_NAMED = 3

_TEXT = {
    "zh": {
        NOTHING_FOUND: "我不知道：在您可以查阅的文档中没有找到相关内容。",
        EVIDENCE_TOO_WEAK: "我不知道：在您可以查阅的文档中没有找到足以回答这个问题的内容。",
        NO_ANSWER_IN_SOURCES: "我不知道：找到的文档没有回答这个问题。",
        ANSWER_UNSUPPORTED: "我不知道：无法用您可以查阅的文档证实任何答案。",
        "closest": "最接近的文档：{titles}。",
    },
    "en": {
        NOTHING_FOUND: "I don't know: the documents that you can read contain nothing about this.",
        EVIDENCE_TOO_WEAK: "I don't know: nothing in the documents that you can read answers this well enough.",
        NO_ANSWER_IN_SOURCES: "I don't know: the documents that were found do not answer this.",
        ANSWER_UNSUPPORTED: "I don't know: no answer could be confirmed from the documents that you can read.",
        "closest": " Closest documents: {titles}.",
    },
}


def too_weak(question: str, ranked: Sequence[Ranked], settings: AnswerSettings) -> str | None:
    """The reason not to answer at all, judged before any model is asked; None if there is evidence.

    Every identifier of the question (`E1042`) must stand in some passage. Evidence is the best cosine plus the weighted
    share of the question's terms that the best passage covers. Where the best passage is in the other language it
    shares no terms: its cosine has a threshold of its own, or it holds the question's identifiers. What the thresholds
    keep and refuse: docs/decisions/0011-answers.md.
    """
    if not ranked:
        return NOTHING_FOUND
    named = identifiers(question)
    if not named <= _named_in(ranked):
        return EVIDENCE_TOO_WEAK
    language = detect_language(question)
    if ranked[0].passage.language != language:
        known = named and named <= _named_in(ranked[:1])
        return None if known or _best(ranked[0].dense) >= settings.min_score_cross else EVIDENCE_TOO_WEAK
    threshold = settings.min_score_zh if language == "zh" else settings.min_score_en
    evidence = _best(*(item.dense for item in ranked))
    evidence += settings.coverage_weight * _best(*(item.keyword for item in ranked))
    return EVIDENCE_TOO_WEAK if evidence < threshold else None


def _named_in(ranked: Sequence[Ranked]) -> frozenset[str]:
    passages = [item.passage for item in ranked]
    return identifiers("\n".join(part for each in passages for part in (each.title, *each.heading, each.text)))


def _best(*scores: float | None) -> float:
    return max((score for score in scores if score is not None), default=0.0)


def abstention(question: str, reason: str, ranked: Sequence[Ranked]) -> tuple[str, tuple[str, ...]]:
    """The sentence to show, in the question's language, and the ids of the documents that it names."""
    language = question_language(question)
    titles = {item.passage.document_id: item.passage.title for item in reversed(ranked[:_NAMED])}
    closest = dict(reversed(titles.items()))
    text = _TEXT[language][reason]
    if closest:
        shown = "、".join(f"《{t}》" for t in closest.values()) if language == "zh" else ", ".join(closest.values())
        text += _TEXT[language]["closest"].replace("{titles}", shown)
    return text, tuple(closest)
