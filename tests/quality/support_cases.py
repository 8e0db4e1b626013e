"""Statements that a passage supports, and the same with something exchanged, for measuring verification.

True: evidence that people marked (expmrc), answers that people wrote (clapnq, lecoqa), paraphrases of the sample
company's documents written by hand. False: another question's answer put in, or one thing exchanged, by what it is.
"""

import random
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kbcore.language.sentences import sentences
from services.demo.manifest import SAMPLES
from tests.quality.answer_quotes import SETS, questions
from tests.quality.answer_sets import lines
from tests.quality.falsehoods import Said, falsified

_SOURCES = Path(__file__).parents[1] / "samples" / "sources"
_SECTION = re.compile(r"^(?=## |[一二三四五六七八九十]+、|第[一二三四五六七八九十]+条 [^，。]+$|\d\. )", re.MULTILINE)


def expmrc(data: Path, language: str) -> Iterator[Said]:
    """The quoter's and the fabricator's sentences, and names exchanged by others of the paragraph."""
    asked = list(questions(data / "citation" / "expmrc" / SETS[language]))
    chance = random.Random(1)
    for each in asked:
        answer, evidence = each.answers[0], each.evidences[0]
        quoter = Said(evidence, each.question, (each.context,), "", "quoter", true=True)
        yield quoter
        strange = chance.choice([o.answers[0] for o in asked if o.answers[0] not in each.context])
        wrong = evidence.replace(answer, strange) if answer in evidence else f"{strange}。"
        yield replace(quoter, text=wrong, kind="fabricator", true=False)
        yield from falsified(quoter, chance)


def clapnq(data: Path) -> Iterator[Said]:
    """Sentences of people's answers from one passage."""
    chance = random.Random(2)
    for row in lines(data / "refusal" / "clapnq" / "answerable.jsonl"):
        texts = tuple(_plain(passage["text"]) for passage in row["passages"])
        title = row["passages"][0]["title"]
        for output in row["output"]:
            answer = _plain(output["answer"])
            for start, end in sentences(answer):
                said = Said(answer[start:end], row["input"], texts, title, "human answer", true=True)
                yield said
                yield from falsified(said, chance)


def lecoqa(data: Path) -> Iterator[Said]:
    """Sentences of lawyers' answers and the articles that they rest on; not every sentence does."""
    root = data / "retrieval" / "stard_lecoqa"
    texts = {row["_id"]: f"{row['title']}\n{row['text']}" for row in lines(root / "corpus.jsonl.gz")}
    gold: dict[str, list[str]] = {}
    for line in (root / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        question, article, score = line.split("\t")
        if int(score) > 0:
            gold.setdefault(question, []).append(texts[article])
    chance = random.Random(3)
    for row in lines(root / "queries.jsonl"):
        answer = row.get("answer") or ""
        if row["_id"] not in gold or chance.random() > 0.25:
            continue
        for start, end in sentences(answer):
            said = Said(answer[start:end], row["text"], tuple(gold[row["_id"]]), "", "human answer", true=True)
            yield said
            yield from falsified(said, chance)


def by_hand(language: str) -> Iterator[Said]:
    """The paraphrases of `paraphrases.toml`, asked in `language`, and their twins."""
    chance = random.Random(4)
    for case in tomllib.loads((Path(__file__).parent / "paraphrases.toml").read_text(encoding="utf-8"))["case"]:
        if (language == "zh") != bool(re.search("[一-鿿]", case["question"])):
            continue
        title, passage = section(case["file"], case["holds"])
        for text in case["true"]:
            said = Said(text, case["question"], (passage,), title, "by hand", true=True)
            yield said
            yield from falsified(said, chance)
        for text in case["false"]:
            yield Said(text, case["question"], (passage,), title, "by hand", true=False)


def samples(language: str) -> Iterator[Said]:
    """Every sentence of the sample company's documents as it stands, and with one thing exchanged."""
    chance = random.Random(5)
    for file in sorted([*SAMPLES.rglob("*.md"), *SAMPLES.rglob("*.txt"), *_SOURCES.glob("*.md")]):
        if file.name == "visitors-meeting-rooms.txt":  # GBK, for the loader
            continue
        title, *passages = _sections(file)
        for passage in passages:
            for start, end in sentences(passage):
                text = passage[start:end]
                if (
                    end - start < 12
                    or text.startswith(("#", "|"))
                    or (language == "zh") != bool(re.search("[一-鿿]", text))
                ):
                    continue
                said = Said(text, title, (passage,), title, "verbatim", true=True)
                yield said
                yield from falsified(said, chance)


def section(file: str, holds: str) -> tuple[str, str]:
    """Title and the section that holds some words, of a sample document."""
    path = SAMPLES / file if (SAMPLES / file).exists() else _SOURCES / file
    title, *passages = _sections(path)
    return title, next(each for each in passages if holds in each)


def _sections(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return [text.splitlines()[0].strip("# "), *(each.strip() for each in _SECTION.split(text) if each.strip())]


def _plain(text: str) -> str:
    """Without the spaces of a tokenizer."""
    text = text.replace("`` ", "“").replace(" ''", "”").replace("-LRB- ", "(").replace(" -RRB-", ")")
    text = re.sub(r" ([.,;:!?%)]|'s\b|n't\b|--)", r"\1", text).replace("( ", "(").replace(" - ", "-").replace("$ ", "$")
    return text.strip()


def every(data: Path) -> dict[str, Sequence[Said]]:
    """All sets by name."""
    return {
        "expmrc zh": list(expmrc(data, "zh")),
        "expmrc en": list(expmrc(data, "en")),
        "lecoqa zh": list(lecoqa(data)),
        "clapnq en": list(clapnq(data)),
        "by hand zh": list(by_hand("zh")),
        "by hand en": list(by_hand("en")),
        "samples zh": list(samples("zh")),
        "samples en": list(samples("en")),
    }
