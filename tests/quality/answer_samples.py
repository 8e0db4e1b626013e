"""The sample company's questions, asked as each of its people, on the real path: load, clean, chunk, embed, answer.

    python -m tests.quality.answer_samples [question …]

Prints, for each question and person, whether the answer is as the manifest expects, and what was said; questions given
on the command line are asked instead, without expectations.
"""

import sys
from collections.abc import Sequence

import structlog

from ingestion.clean.pipeline import clean
from ingestion.load.sandbox import ParserProcess
from kbcore.domain.document import Classification
from kbcore.domain.principal import Caller
from kbcore.metadata import documents
from services.demo.manifest import SAMPLES, Manifest, SampleQuestion, manifest
from services.query.answer import Answer
from services.query.pipeline import ask
from services.query.request import AskRequest
from tests.builders import Corpus
from tests.servers.embedded import embedded_platform


def main(asked: Sequence[str]) -> None:
    """Fill the library, ask, print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    sample = manifest()
    with embedded_platform() as platform:
        corpus = Corpus.open(platform)
        people = settle(corpus, sample)
        questions = [SampleQuestion(text=text, point="", answered_for=()) for text in asked] or sample.questions
        for question in questions:
            print(f"\n{question.text}")
            for name, caller in people.items():
                answer = final(corpus, caller, question.text)
                expected = name in question.answered_for
                good = not answer.abstained and (question.contains or "") in "".join(c.quote for c in answer.citations)
                verdict = "" if asked else ("ok   " if expected == good and expected != answer.abstained else "WRONG")
                print(f"  {verdict} {name:9} {answer.text[:400]!r}")


def final(corpus: Corpus, caller: Caller, question: str) -> Answer:
    """The finished answer."""
    return next(e for e in ask(corpus.platform, caller, AskRequest(question)) if isinstance(e, Answer))


def settle(corpus: Corpus, sample: Manifest) -> dict[str, Caller]:
    """Spaces, documents and people of the manifest."""
    for space in sample.spaces:
        corpus.space(space.name, *space.readers)
    settings = corpus.platform.settings.parsing
    with ParserProcess(settings) as parser:
        for document in sample.documents:
            if document.broken:
                continue
            texts = [clean(parser.load(SAMPLES / file, file.rpartition("/")[2]))[0] for file in document.files]
            level = Classification.of(document.classification)
            days = document.effective_from or (None,) * len(texts)
            key = corpus.add(document.space, document.title, texts[0], classification=level, effective=(days[0], None))
            for text, day in zip(texts[1:], days[1:], strict=True):
                with corpus.platform.database.begin() as connection:
                    documents.update(connection, key, effective_from=day)
                corpus.revise(key, document.title, text)
    return {
        person.name: corpus.person(person.name, *person.groups, clearance=Classification.of(person.clearance))
        for person in sample.people
    }


if __name__ == "__main__":
    main(sys.argv[1:])
