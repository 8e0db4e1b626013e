"""Does the extractive answer quote the sentence that people chose as the evidence?

    python -m tests.quality.answer_quotes DATA [questions]

ExpMRC (Cui et al. 2022): paragraphs in Chinese and English, a question, its answer and the evidence. A quote is
right if it contains the annotated answer and touches the evidence.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kbcore.embedding.bundled import BundledEmbedder
from kbcore.llm.extractive import ExtractiveModel
from kbcore.llm.interface import AnswerRequest, Source

SETS = {"zh": "expmrc-cmrc2018-dev.half.json", "en": "expmrc-squad-dev.half.json"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a paragraph; any of the answers and evidences will do."""

    question: str
    context: str
    answers: tuple[str, ...]
    evidences: tuple[str, ...]


def questions(file: Path) -> Iterator[Asked]:
    """All questions of one set."""
    for article in json.loads(file.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            for entry in paragraph["qas"]:
                answers = tuple(answer["text"] for answer in entry["answers"])
                yield Asked(entry["question"], paragraph["context"], answers, tuple(entry["evidences"]))


def right(quote: str, asked: Asked) -> bool:
    """Whether a quote shows the answer where the evidence is."""
    shows = any(answer in quote for answer in asked.answers)
    return shows and any(
        evidence in quote or quote in evidence or _touch(quote, evidence) for evidence in asked.evidences
    )


def main(data: Path, limit: int) -> None:
    """Print, for each language, how often the first and any of the quotes is right."""
    embedder = BundledEmbedder()
    model = ExtractiveModel(embedder, max_quotes=3)
    for language, name in SETS.items():
        first = within = quotes = count = 0
        begun = time.perf_counter()
        for asked in list(questions(data / "citation" / "expmrc" / name))[:limit]:
            source = Source(1, "t", asked.context, (), 0.9, language)
            parts = [part.text for part in model.answer(AnswerRequest(asked.question, language, [source]))]
            said = [part[part.index("“") + 1 : part.rindex("”")] for part in parts if "“" in part]
            hits = [right(quote, asked) for quote in said]
            first += bool(hits) and hits[0]
            within += any(hits)
            quotes += len(said)
            count += 1
        seconds = (time.perf_counter() - begun) / count
        print(
            f"{language}: {count} questions, first quote right {first / count:.2f}, any right {within / count:.2f}, "
            f"{quotes / count:.1f} quotes, {seconds * 1000:.0f} ms each"
        )


def _touch(one: str, other: str) -> bool:
    size = min(len(one), len(other)) // 2
    return any(other[at : at + size] in one for at in range(0, len(other) - size + 1, 5))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10_000)
