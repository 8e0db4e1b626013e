"""The public retrieval sets as (passages, questions, judgements), cut to sizes that a laptop embeds in minutes.

All gold passages of the chosen questions stay in; distractors are drawn with a fixed seed.
"""

import gzip
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEED = 20260101


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """`passages` and `questions` by id; `relevant` maps a question's id to the ids of its gold passages."""

    name: str
    language: str
    passages: Mapping[str, str]
    questions: Mapping[str, str]
    relevant: Mapping[str, frozenset[str]]


def load(name: str, data: Path) -> RetrievalSet:
    """One of `SETS`, read from the shared data folder."""
    return SETS[name](data / "retrieval")


def _stard(root: Path) -> RetrievalSet:
    return _beir("stard", "zh", root / "stard_lecoqa", passages=2000, questions=300)


def _cmrc(root: Path) -> RetrievalSet:
    return _beir("cmrc", "zh", root / "cmrc2018_trial", passages=256, questions=300)


def _drcd(root: Path) -> RetrievalSet:
    return _beir("drcd", "zh-Hant", root / "drcd_dev", passages=800, questions=300)


def _scifact(root: Path) -> RetrievalSet:
    return _beir("scifact", "en", root / "scifact", passages=1200, questions=300)


def _xquad(questions: str, passages: str) -> Callable[[Path], RetrievalSet]:
    def build(root: Path) -> RetrievalSet:
        texts = root / "xquad_half" / passages
        asked = root / "xquad_half" / questions
        name = f"xquad-{questions}" if questions == passages else f"xquad-{questions}→{passages}"
        return _beir(name, questions, texts, passages=120, questions=300, asked=asked)

    return build


def _policyqa(root: Path) -> RetrievalSet:
    """Privacy policies: the site's name stands over every passage and in the question, as a heading would."""
    with gzip.open(root / "policyqa" / "dev.json.gz", "rt", encoding="utf-8") as file:
        sites = json.load(file)["data"]
    passages: dict[str, str] = {}
    questions: dict[str, str] = {}
    relevant: dict[str, set[str]] = {}
    for site in sites:
        for paragraph in site["paragraphs"]:
            passage_id = f"{site['title']}-{paragraph['index']}"
            passages[passage_id] = f"{site['title']}\n{paragraph['context']}"
            for entry in paragraph["qas"]:
                question_id = f"{site['title']}: {entry['question']}"
                questions[question_id] = question_id
                relevant.setdefault(question_id, set()).add(passage_id)
    chosen = random.Random(SEED).sample(sorted(questions), 300)
    return RetrievalSet(
        "policyqa",
        "en",
        passages,
        {each: questions[each] for each in chosen},
        {each: frozenset(relevant[each]) for each in chosen},
    )


def _beir(
    name: str, language: str, folder: Path, *, passages: int, questions: int, asked: Path | None = None
) -> RetrievalSet:
    asked = asked or folder
    relevant: dict[str, set[str]] = {}
    judgements = next(each for each in (asked / "qrels.tsv", asked / "qrels.train.tsv") if each.exists())
    for line in judgements.read_text(encoding="utf-8").splitlines()[1:]:
        question_id, passage_id, score = line.split("\t")
        if int(score) > 0:
            relevant.setdefault(question_id, set()).add(passage_id)
    texts = {each["_id"]: _with_title(each) for each in _lines(folder, "corpus")}
    queries = {each["_id"]: each["text"] for each in _lines(asked, "queries") if each["_id"] in relevant}
    generator = random.Random(SEED)
    chosen = generator.sample(sorted(queries), min(questions, len(queries)))
    gold = {passage for each in chosen for passage in relevant[each]}
    others = sorted(texts.keys() - gold)
    kept = gold | set(generator.sample(others, max(0, min(passages - len(gold), len(others)))))
    return RetrievalSet(
        name,
        language,
        {each: texts[each] for each in sorted(kept)},
        {each: queries[each] for each in chosen},
        {each: frozenset(relevant[each]) for each in chosen},
    )


def _lines(folder: Path, stem: str) -> Iterator[dict[str, Any]]:
    file = next(iter(sorted(folder.glob(f"{stem}*jsonl*"))))
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    yield from (json.loads(line) for line in content.splitlines())


def _with_title(entry: Mapping[str, str]) -> str:
    return f"{entry['title']}\n{entry['text']}" if entry.get("title") else entry["text"]


SETS: Mapping[str, Callable[[Path], RetrievalSet]] = {
    "stard": _stard,
    "scifact": _scifact,
    "xquad-zh": _xquad("zh", "zh"),
    "xquad-en": _xquad("en", "en"),
    "xquad-en→zh": _xquad("en", "zh"),
    "cmrc": _cmrc,
    "drcd": _drcd,
    "policyqa": _policyqa,
}
"""The first five are for choosing constants, the last three for reporting them."""

TUNED_ON = ("stard", "scifact", "xquad-zh", "xquad-en", "xquad-en→zh")
REPORTED_ON = ("cmrc", "drcd", "policyqa")
