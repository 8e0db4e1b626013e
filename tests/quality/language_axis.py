"""The direction in which multilingual-e5-small's vectors tell Chinese from English: its making and its worth.

    python -m tests.quality.language_axis --write    # make kbcore/embedding/e5_language_axis.npy
    python -m tests.quality.language_axis            # print retrieval in a mixed corpus, with and without it

Made from paragraphs of documents that exist in both languages (TiDB Operator): the difference of the means. Judged on
other texts: XQuAD's paragraphs (each in both languages), CMRC and policy questions, all in one index.
"""

import argparse
import gzip
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kbcore.embedding.bundled import BundledEmbedder
from kbcore.embedding.interface import Matrix
from kbcore.embedding.neutral import e5_language_axis, without

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("ZHIKU_DATA") or ROOT.parent / "shared" / "data")
QUESTIONS = 200


def parallel_paragraphs() -> dict[str, list[str]]:
    """The first paragraphs of every page that exists in both languages."""
    folder = DATA / "corpora" / "tidb_operator_zh_en"
    pages = [page.relative_to(folder / "en") for page in sorted((folder / "en").rglob("*.md"))]
    found: dict[str, list[str]] = {"en": [], "zh": []}
    for page in pages:
        if (folder / "zh" / page).exists():
            for language, texts in found.items():
                paragraphs = re.split(r"\n\s*\n", (folder / language / page).read_text(encoding="utf-8"))
                texts.extend([text[:1200] for text in paragraphs if len(text) > 80 and "```" not in text][:4])
    return found


def make(embedder: BundledEmbedder) -> Matrix:
    """float32[384], of unit length."""
    means = {language: embedder.embed_passages(texts).mean(0) for language, texts in parallel_paragraphs().items()}
    axis = means["zh"] - means["en"]
    unit: Matrix = (axis / np.linalg.norm(axis)).astype(np.float32)
    return unit


def lines(name: str) -> list[dict[str, str]]:
    """A JSON Lines file of the retrieval sets."""
    with (DATA / "retrieval" / name).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def policies() -> tuple[list[str], list[tuple[str, int]]]:
    """English passages and (question, passage number)."""
    with gzip.open(DATA / "retrieval" / "policyqa" / "dev.json.gz", "rt", encoding="utf-8") as file:
        paragraphs = [p for document in json.load(file)["data"][:25] for p in document["paragraphs"]][:250]
    asked = [(p["qas"][0]["question"], number) for number, p in enumerate(paragraphs) if p["qas"]]
    return [p["context"] for p in paragraphs], asked[:QUESTIONS]


def score(questions: Matrix, passages: Matrix, gold: Sequence[Sequence[int]]) -> str:
    """Top-1 and mean reciprocal rank; any of a question's gold passages counts."""
    similar = questions @ passages.T
    ranks = [1 + int((row > max(row[g] for g in right)).sum()) for row, right in zip(similar, gold, strict=True)]
    return f"{np.mean([r == 1 for r in ranks]):.3f} / {np.mean([1 / r for r in ranks]):.3f}"


def compare(embedder: BundledEmbedder, axis: Matrix) -> None:
    """Print the table."""
    corpus = {f"xquad {language}": lines(f"xquad_half/{language}/corpus.jsonl") for language in ("zh", "en")}
    asked = {f"xquad {language}": lines(f"xquad_half/{language}/queries.jsonl") for language in ("zh", "en")}
    corpus["cmrc"], asked["cmrc"] = lines("cmrc2018_trial/corpus.jsonl"), lines("cmrc2018_trial/queries.jsonl")
    contexts, policy_questions = policies()
    texts = {name: [row["text"][:1200] for row in rows] for name, rows in corpus.items()} | {"policyqa": contexts}
    passages = {name: embedder.embed_passages(rows) for name, rows in texts.items()}
    place = {name: {row["_id"]: number for number, row in enumerate(rows)} for name, rows in corpus.items()}
    questions = {
        name: [(row["text"], place[name][row["doc"]]) for row in rows[:QUESTIONS]] for name, rows in asked.items()
    }
    questions["policyqa"] = policy_questions
    vectors = {name: np.array([embedder.embed_query(text) for text, _ in rows]) for name, rows in questions.items()}

    def run(asker: str, answers: Sequence[str], absent: str | None, change: Callable[[Matrix], Matrix]) -> str:
        kept = [name for name in passages if name != absent]
        starts = dict(zip(kept, np.cumsum([0, *(len(passages[name]) for name in kept)]), strict=False))
        gold = [[int(starts[name]) + number for name in answers] for _, number in questions[asker]]
        return score(change(vectors[asker]), change(np.vstack([passages[name] for name in kept])), gold)

    both = ("xquad zh", "xquad en")
    cases = [
        ("zh question, only the en passage is there", "xquad zh", ("xquad en",), "xquad zh"),
        ("en question, only the zh passage is there", "xquad en", ("xquad zh",), "xquad en"),
        ("zh question, either passage", "xquad zh", both, None),
        ("en question, either passage", "xquad en", both, None),
        ("zh question (CMRC)", "cmrc", ("cmrc",), None),
        ("en question (PolicyQA)", "policyqa", ("policyqa",), None),
    ]
    print(f"{'top-1 / MRR, one index of both languages':44}{'as the model says':20}without the axis")
    for words, asker, answers, absent in cases:
        raw = run(asker, answers, absent, lambda v: v)
        print(f"{words:44}{raw:20}{run(asker, answers, absent, lambda v: without(axis, v))}")


def main() -> None:
    """Make or judge."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true")
    embedder = BundledEmbedder()
    if options.parse_args().write:
        np.save(ROOT / "kbcore" / "embedding" / "e5_language_axis.npy", make(embedder), allow_pickle=False)
    compare(embedder, e5_language_axis())


if __name__ == "__main__":
    main()
