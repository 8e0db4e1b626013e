"""A question and its passages through the stages of an answer, without servers: rank, gate, generate, cite."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kbcore.domain.chunk import Passage
from kbcore.domain.conversation import Citation
from kbcore.domain.document import Classification
from kbcore.embedding.bundled import BundledEmbedder
from kbcore.embedding.neutral import LanguageNeutralEmbedder, e5_language_axis
from kbcore.language.analyzer import terms
from kbcore.language.script import detect_language
from kbcore.language.weights import coverage, document_weights, query_weights
from kbcore.llm.extractive import ExtractiveModel
from kbcore.llm.interface import AnswerModel, AnswerRequest
from kbcore.settings import Settings, load_settings
from services.query.abstain import too_weak
from services.query.assemble import assemble
from services.query.cite import Citer
from services.query.found import Ranked
from services.query.generate import Outcome, generate
from services.query.rank import rank
from services.query.request import Mode
from tests.quality.answer_sets import Case

BEFORE = "…\n\n"
"""Stands before every passage in its stored text, so that wrong offsets show."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered; an abstention has no citations."""

    text: str
    citations: tuple[Citation, ...]

    @property
    def exact(self) -> int:
        """How many quotes are exactly the characters of the stored text at their offsets."""
        return sum(stored(each.chunk_id)[each.start : each.end] == each.quote for each in self.citations)


class Bench:
    """The default models and thresholds; `asked` sets may share passages, whose vectors are kept."""

    def __init__(self) -> None:
        self.settings: Settings = load_settings({})
        self.embedder = LanguageNeutralEmbedder(BundledEmbedder(), e5_language_axis())
        answer = self.settings.answer
        self.extractive = ExtractiveModel(
            self.embedder,
            max_quotes=answer.max_quotes,
            min_evidence={"zh": answer.min_quote_zh, "en": answer.min_quote_en},
        )

    def ranked(self, case: Case) -> list[Ranked]:
        """The passages in the order of a search, at most as many as an answer gets."""
        passages = [passage(text, place) for place, text in enumerate(case.passages)]
        if not passages:
            return []
        vectors = self.embedder.embed_passages([each.text for each in passages])
        cosines = vectors @ self.embedder.embed_query(case.question)
        weights = [document_weights(terms(each.text)) for each in passages]
        rows = Counter(term for each in weights for term in each)
        wanted = query_weights(list(dict.fromkeys(terms(case.question))), rows, max(len(weights), 50))
        dense = {each.chunk_id: float(cosine) for each, cosine in zip(passages, cosines, strict=True)}
        keyword = {each.chunk_id: coverage(wanted, weight) for each, weight in zip(passages, weights, strict=True)}
        ordered = rank(passages, dense, keyword, Mode.HYBRID, self.settings.retrieval)
        return ordered[: self.settings.answer.passages]

    def reply(self, question: str, ranked: Sequence[Ranked], model: AnswerModel, *, gated: bool = True) -> Reply:
        """The gate, then the model's words, verified."""
        if gated and too_weak(question, ranked, self.settings.answer):
            return Reply("", ())
        citer = Citer([item.passage for item in ranked], question, self._similarity)
        outcome = Outcome()
        asked = AnswerRequest(question, detect_language(question), assemble(ranked))
        list(generate(model, asked, citer, len, outcome))
        return Reply(outcome.text, citer.citations)

    def _similarity(self, statement: str, candidates: Sequence[str]) -> list[float]:
        vectors = self.embedder.embed_passages([statement, *candidates])
        return [float(value) for value in np.asarray(vectors[1:] @ vectors[0])]


_STORED: dict[str, str] = {}


def stored(chunk_id: str) -> str:
    """The stored text that a passage is cut from."""
    return _STORED[chunk_id]


def place_of(citation: Citation) -> int:
    """The place of the cited passage in its case."""
    return int(citation.document_id)


def passage(text: str, place: int) -> Passage:
    """A passage of a document of its own."""
    chunk_id = hashlib.sha256(f"{place} {text}".encode()).hexdigest()[:24]
    _STORED[chunk_id] = BEFORE + text
    return Passage(
        chunk_id=chunk_id,
        document_id=str(place),
        version=1,
        title="",
        space="",
        text=text,
        uri="",
        page=None,
        heading=(),
        start=len(BEFORE),
        end=len(BEFORE) + len(text),
        classification=Classification.INTERNAL,
        language=detect_language(text),
        effective_from=None,
        effective_to=None,
    )
