"""Abstain: when the documents do not say, say so, and say what was looked at."""

from collections.abc import Sequence
from dataclasses import dataclass

from kbcore.language.asked_names import missing_names
from kbcore.language.frame import question_language
from kbcore.language.identifiers import identifiers
from kbcore.language.script import detect_language
from kbcore.language.subject import unheld
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


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much speaks for an answer, known before any model is asked.

    `score` is the best cosine plus the weighted share (0-1) of the question's terms that the best passage covers, minus
    the weighted share of its words that stand in no passage; where the best passage is in the other language (`across`)
    its cosine alone, for it shares no words. `named`: an identifier of the question (`E1042`) stands in the best
    passage. `missing`: an identifier or, not across languages, a name of the question stands in no passage.
    """

    language: str
    score: float
    across: bool
    named: bool
    missing: bool

    def enough(self, settings: AnswerSettings) -> bool:
        """Whether it reaches the thresholds. What they keep and refuse: docs/decisions/0033-refusals.md."""
        if self.missing:
            return False
        if self.across:
            return self.named or self.score >= settings.min_score_cross
        return self.score >= (settings.min_score_zh if self.language == "zh" else settings.min_score_en)


def evidence(question: str, ranked: Sequence[Ranked], settings: AnswerSettings, searched: str = "") -> Evidence:
    """What the passages found (at least one) speak for an answer to `question`.

    `searched` is the question with its words corrected and called what the glossary calls them: either will do.
    """
    language, named = detect_language(question), identifiers(question)
    missing = not named <= _named_in(ranked)
    across = ranked[0].passage.language != language
    if across:
        score = _best(ranked[0].dense)
    else:
        phrasings, texts = {question, searched or question}, _texts(ranked)
        score = _best(*(item.dense for item in ranked))
        score += settings.coverage_weight * _best(*(item.keyword for item in ranked))
        score -= settings.missing_weight * min(unheld(each, texts) for each in phrasings)
        missing = missing or all(missing_names(each, texts) for each in phrasings)
    return Evidence(
        language=language,
        score=score,
        across=across,
        named=bool(named) and named <= _named_in(ranked[:1]),
        missing=missing,
    )


def too_weak(question: str, ranked: Sequence[Ranked], settings: AnswerSettings, searched: str = "") -> str | None:
    """The reason not to answer at all, judged before any model is asked; None if there is evidence."""
    if not ranked:
        return NOTHING_FOUND
    return None if evidence(question, ranked, settings, searched).enough(settings) else EVIDENCE_TOO_WEAK


def _named_in(ranked: Sequence[Ranked]) -> frozenset[str]:
    return identifiers("\n".join(_texts(ranked)))


def _texts(ranked: Sequence[Ranked]) -> list[str]:
    return [part for item in ranked for part in (item.passage.title, *item.passage.heading, item.passage.text)]


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
