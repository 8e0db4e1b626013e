"""The public sets for answers: a question, the passages that it is answered from, and what people found in them.

Each set is cut down with a fixed seed, so that one run takes minutes.
"""

import gzip
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.query.understand.rewrite import rewrite
from tests.quality.answer_quotes import SETS, questions

SEED = 20_261_126


@dataclass(frozen=True, slots=True)
class Case:
    """One question. `gold` are places (from 0) in `passages`; `evidence` is what people quoted, empty if unknown."""

    question: str
    language: str
    passages: tuple[str, ...]
    answerable: bool
    gold: frozenset[int] = frozenset()
    evidence: str = ""
    answer: str = ""


def _nomiracl(language: str) -> Callable[[Path, int], list[Case]]:
    def load(data: Path, size: int) -> list[Case]:
        rows = lines(data / "refusal" / "nomiracl" / f"{language}.jsonl.gz")
        cases = [Case(row["text"], language, tuple(row["passages"]), bool(row["answerable"])) for row in rows]
        return _halves(cases, size)

    return load


def _clapnq(data: Path, size: int) -> list[Case]:
    cases = []
    for name in ("answerable", "unanswerable"):
        for row in lines(data / "refusal" / "clapnq" / f"{name}.jsonl"):
            texts = tuple(passage["text"] for passage in row["passages"])
            chosen = [s for output in row["output"] for s in output.get("selected_sentences", ())] if texts else []
            evidence = next((each for each in chosen if any(each in text for text in texts)), "")
            cases.append(Case(row["input"], "en", texts, name == "answerable", evidence=evidence))
    return _halves(cases, size)


def _mtrag(data: Path, size: int) -> list[Case]:
    cases = []
    for row in lines(data / "refusal" / "mtrag_un" / "reference.jsonl.gz"):
        if row["answerability"] not in (["ANSWERABLE"], ["UNANSWERABLE"]):
            continue
        asked = [turn["text"] for turn in row["input"] if turn.get("speaker") == "user"]
        question = rewrite(asked[-1], [(each, "") for each in asked[:-1]])
        texts = tuple(each["text"].strip() for each in row["contexts"])
        cases.append(Case(question, "en", texts, row["answerability"] == ["ANSWERABLE"]))
    return _halves(cases, size)


def _fitz(data: Path, size: int) -> list[Case]:
    """What the context answers, against what it does not: `grounding` and `relevance` only look as if it did."""
    cases = []
    kinds = {"trustworthy_direct": True, "abstention": False, "grounding": False, "relevance": False}
    for name, answerable in kinds.items():
        cases += [Case(q, "en", texts, answerable) for q, texts in fitz_cases(data, name)]
    return _halves(cases, size)


def fitz_cases(data: Path, name: str) -> list[tuple[str, tuple[str, ...]]]:
    """(question, contexts) of one category of FITZ-Gov."""
    file = data / "refusal" / "fitz_gov" / "tier0_sanity" / f"{name}.json"
    return [(case["query"], tuple(case["contexts"])) for case in json.loads(file.read_text(encoding="utf-8"))["cases"]]


def _expmrc(language: str) -> Callable[[Path, int], list[Case]]:
    def load(data: Path, size: int) -> list[Case]:
        asked = list(questions(data / "citation" / "expmrc" / SETS[language]))
        chosen = random.Random(SEED).sample(asked, min(size, len(asked)))
        return [
            Case(each.question, language, (each.context,), True, frozenset({0}), each.evidences[0], each.answers[0])
            for each in chosen
        ]

    return load


def _stard(data: Path, size: int) -> list[Case]:
    """A layman's question, the articles that answer it, and articles that answer five other questions."""
    root = data / "retrieval" / "stard_lecoqa"
    texts = {row["_id"]: f"{row['title']}\n{row['text']}" for row in lines(root / "corpus.jsonl.gz")}
    relevant: dict[str, list[str]] = {}
    for line in (root / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        question, article, score = line.split("\t")
        if int(score) > 0:
            relevant.setdefault(question, []).append(article)
    asked = {row["_id"]: row["text"] for row in lines(root / "queries.jsonl") if row["_id"] in relevant}
    chance = random.Random(SEED)
    cases = []
    for key in chance.sample(sorted(asked), size):
        gold = relevant[key][:3]
        others = [relevant[other][0] for other in chance.sample(sorted(asked), 8)]
        mixed = list(dict.fromkeys([*gold, *(other for other in others if other not in relevant[key])]))[:8]
        chance.shuffle(mixed)
        places = frozenset(place for place, article in enumerate(mixed) if article in relevant[key])
        cases.append(Case(asked[key], "zh", tuple(texts[article] for article in mixed), True, places))
    return cases


def _halves(cases: Sequence[Case], size: int) -> list[Case]:
    """Half of them answerable, half not."""
    chance = random.Random(SEED)
    chosen = []
    for kind in (True, False):
        of_kind = [case for case in cases if case.answerable is kind]
        chosen += chance.sample(of_kind, min(size // 2, len(of_kind)))
    return chosen


def lines(file: Path) -> Iterator[dict[str, Any]]:
    raw = file.read_bytes()
    content = gzip.decompress(raw) if file.suffix == ".gz" else raw
    yield from (json.loads(line) for line in content.splitlines())


ANSWER_SETS: Mapping[str, tuple[Callable[[Path, int], list[Case]], int]] = {
    "nomiracl-zh": (_nomiracl("zh"), 24),
    "nomiracl-en": (_nomiracl("en"), 24),
    "clapnq": (_clapnq, 50),
    "mtrag": (_mtrag, 30),
    "fitz": (_fitz, 36),
    "expmrc-zh": (_expmrc("zh"), 40),
    "expmrc-en": (_expmrc("en"), 40),
    "stard": (_stard, 20),
}
"""How to load each, and how many questions are asked of it."""
