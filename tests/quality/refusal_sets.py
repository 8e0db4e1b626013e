"""Questions with what was found for them, with and without an answer: public sets, halved sets, the sample company."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kbcore.domain.document import Classification
from kbcore.embedding.bundled import BundledEmbedder
from kbcore.embedding.neutral import e5_language_axis, without
from kbcore.language.analyzer import terms
from kbcore.language.weights import coverage, document_weights, query_weights
from kbcore.metadata import glossary
from services.demo.manifest import manifest
from services.query.found import Ranked
from services.query.pipeline import search
from services.query.rank import rank
from services.query.request import Mode, SearchRequest
from services.query.understand.rewrite import rewrite
from tests.builders import Corpus
from tests.quality.answer_bench import Bench, passage
from tests.quality.answer_calibration import kept_back
from tests.quality.answer_samples import settle
from tests.quality.answer_sets import ANSWER_SETS
from tests.quality.followup_cases import CHINESE, ENGLISH, Case
from tests.quality.near_misses import CHINESE as NEAR_ZH
from tests.quality.near_misses import ENGLISH as NEAR_EN
from tests.quality.retrieval_corpora import RetrievalSet, load
from tests.quality.retrieval_vectors import embedded
from tests.quality.understanding import EXPANDED, GLOSSARY, MISSPELT, NOWHERE
from tests.servers.embedded import embedded_platform

PUBLIC = ("nomiracl-zh", "nomiracl-en", "clapnq", "fitz", "mtrag", "expmrc-zh", "expmrc-en")
HALVED = ("xquad-zh", "cmrc", "drcd", "stard", "xquad-en", "scifact", "policyqa")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what was found; `searched` as in `Understood`."""

    group: str
    question: str
    answerable: bool
    ranked: Sequence[Ranked]
    searched: str = ""


def public(bench: Bench, data: Path) -> Iterator[Asked]:
    """Each question with the passages that come with it."""
    for name in PUBLIC:
        read, _ = ANSWER_SETS[name]
        for case in read(data, 120 if name.startswith("expmrc") else 10_000):
            yield Asked(name, case.question, case.answerable, bench.ranked(case))


def halved(bench: Bench, data: Path, cache: Path) -> Iterator[Asked]:
    """Retrieval sets without half of their passages: an answerable question has a gold passage among those left."""
    model = BundledEmbedder()
    for name in HALVED:
        chosen = load(name, data)
        passages, questions = (without(e5_language_axis(), each) for each in embedded(chosen, cache, model))
        left = [at for at, key in enumerate(chosen.passages) if kept_back(name, key)]
        yield from _found(bench, chosen, left, questions @ passages[left].T)


def _found(bench: Bench, chosen: RetrievalSet, left: Sequence[int], cosines: NDArray[np.float32]) -> Iterator[Asked]:
    """The best of the passages `left` for each question; `cosines` is float[questions, passages left]."""
    keys, texts = list(chosen.passages), [list(chosen.passages.values())[at] for at in left]
    weights = [document_weights(terms(text)) for text in texts]
    rows = Counter(term for each in weights for term in each)
    still_there, settings = {keys[at] for at in left}, bench.settings
    for row, (key, question) in zip(cosines, chosen.questions.items(), strict=True):
        wanted = query_weights(list(dict.fromkeys(terms(question))), rows, len(texts))
        near = np.argsort(-row)[: settings.retrieval.candidates].tolist()
        found = [passage(texts[at], at) for at in near]
        dense = {each.chunk_id: float(row[at]) for at, each in zip(near, found, strict=True)}
        keyword = {each.chunk_id: coverage(wanted, weights[at]) for at, each in zip(near, found, strict=True)}
        ranked = rank(found, dense, keyword, Mode.HYBRID, settings.retrieval)[: settings.answer.passages]
        yield Asked(chosen.name, question, bool(chosen.relevant[key] & still_there), ranked)


def company() -> list[Asked]:
    """The sample company's, asked on the real path by somebody who may read everything; then with a glossary."""
    with embedded_platform() as platform:
        corpus = Corpus.open(platform)
        settle(corpus, manifest())
        reader = corpus.person(
            "reader", "all-staff", "hr", "finance", "engineering", clearance=Classification.RESTRICTED
        )

        def ask(group: str, questions: Mapping[str, str | None]) -> Iterator[Asked]:
            for question, wanted in questions.items():
                found = search(platform, reader, SearchRequest(question, platform.settings.answer.passages))
                if not wanted or any(wanted in item.passage.text for item in found.ranked):
                    yield Asked(group, question, wanted is not None, found.ranked, found.understood.searched)

        asked = [
            *ask("company zh", {**_standing_alone(CHINESE), **dict.fromkeys(NEAR_ZH)}),
            *ask("company en", {**_standing_alone(ENGLISH), **dict(MISSPELT), **dict.fromkeys(NEAR_EN)}),
        ]
        with platform.database.begin() as connection:
            for term, others in GLOSSARY.items():
                glossary.insert_entry(connection, space_id=None, term=term, expansions=others, created_by="x")
        return [*asked, *ask("glossary", {**dict(EXPANDED), **dict.fromkeys(NOWHERE)})]


def _standing_alone(cases: Iterable[Case]) -> dict[str, str | None]:
    """The questions as they are searched, and what stands in the passage that answers."""
    return {
        rewrite(question, [(each, "") for each in before]) if follows else question: wanted
        for before, question, follows, wanted in cases
    }
