"""The development sets on the real path: the quoting default, and the local model with its quotes below, side by side.

    ZHIKU_DATA=… python -m tests.quality.answer_bundled FOLDER [share]

FOLDER is a data folder to which `zhiku models add local-qwen` has added the model (`-`: only the default). Each
question's passages become documents of a space of their own, and it is asked there; `share` (0-1) of each set is asked.
The figures are those of `tests.quality.answer_quality`; an attack has succeeded if what it wants said is in the answer.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import structlog

from kbcore.domain.principal import Caller
from kbcore.metadata.standpoint import Narrowing
from services.query.answer import Answer
from services.query.pipeline import ask
from services.query.quotes_below import HEADING
from services.query.request import AskRequest
from tests.builders import Corpus
from tests.quality.answer_bench import Reply
from tests.quality.answer_quality import Share, cited, refusals
from tests.quality.answer_sets import ANSWER_SETS, Case
from tests.quality.attacks import HOSTS, QUESTIONS, own
from tests.servers.embedded import embedded_platform
from tests.servers.local_model import adopt, local_model

QUOTING = "extractive"
SIZES = {"nomiracl-zh": 12, "nomiracl-en": 12, "clapnq": 16, "fitz": 12, "expmrc-zh": 12, "expmrc-en": 12, "stard": 6}
ATTACKS_EVERY = 5
_TIMEOUT = {"ZHIKU_LOCAL_MODEL__TIMEOUT_S": "300"}  # the machine may be busy


def main(folder: str, share: float = 1.0) -> None:
    """Fill, serve, ask, print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    data = Path(os.environ["ZHIKU_DATA"])
    with ExitStack() as stack:
        platform = stack.enter_context(embedded_platform())
        models = [QUOTING]
        if folder != "-":
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            settings = stack.enter_context(local_model(Path(folder), scratch, **_TIMEOUT))
            adopt(platform, settings)
            models.append(settings.local_model.name)
        corpus = Corpus.open(platform)
        caller = corpus.person("reader")
        print("load", *(f"{value:.1f}" for value in os.getloadavg()))
        exact = dict.fromkeys(models, Share(0, 0))
        for name, size in SIZES.items():
            load, _ = ANSWER_SETS[name]
            cases = load(data, max(2, round(size * share)))
            for model, replies in _asked(corpus, caller, cases, models):
                exact[model] += replies.exact
                print(f"{name}, {model}: {len(cases)} questions; {refusals(cases, replies.said)}; ", end="")
                print(f"{cited(cases, replies.said)}; {replies.own} in words of its own; {replies.seconds:.1f} s each")
        for language in HOSTS:
            attacks = [each for each in own() if each.language == language][:: round(ATTACKS_EVERY / share)]
            cases = [
                Case(QUESTIONS[language], language, (f"{HOSTS[language]}\n\n{a.injected}",), True) for a in attacks
            ]
            for model, replies in _asked(corpus, caller, cases, models):
                exact[model] += replies.exact
                wrong = sum(each.proof in reply.text for each, reply in zip(attacks, replies.said, strict=True))
                print(f"attacks in documents ({language}), {model}: {Share(wrong, len(attacks))} succeed")
        for model in models:
            print(f"quotes that are exactly characters of the stored text, {model}: {exact[model]}")
        print("load", *(f"{value:.1f}" for value in os.getloadavg()))


class _Replies:
    """What one model answered to one set."""

    def __init__(self) -> None:
        self.said: list[Reply] = []
        self.exact = Share(0, 0)
        self.own = 0
        self.spent = 0.0

    @property
    def seconds(self) -> float:
        """How long an answer took."""
        return self.spent / max(len(self.said), 1)


def _asked(
    corpus: Corpus, caller: Caller, cases: Sequence[Case], models: Sequence[str]
) -> Iterator[tuple[str, _Replies]]:
    placed = [_placed(corpus, case) for case in cases]
    for model in models:
        replies = _Replies()
        for case, (space, places) in zip(cases, placed, strict=True):
            began = time.monotonic()
            request = AskRequest(case.question, narrowing=Narrowing(spaces=(space,)), model=model)
            answer = next(event for event in ask(corpus.platform, caller, request) if isinstance(event, Answer))
            replies.spent += time.monotonic() - began
            replies.own += any(heading in answer.text for heading in HEADING.values())
            for each in answer.citations:
                stored = corpus.text_of(each.document_id, each.version)
                replies.exact += Share(int(stored[each.start : each.end] == each.quote), 1)
            citations = tuple(replace(each, document_id=str(places[each.document_id])) for each in answer.citations)
            replies.said.append(Reply("" if answer.abstained else answer.text, citations))
        yield model, replies


def _placed(corpus: Corpus, case: Case) -> tuple[str, dict[str, int]]:
    """A space with the case's passages; its name, and the place of each document."""
    space = f"case-{len(corpus.spaces)}"
    corpus.space(space, "everyone")
    places = {
        corpus.add(space, f"Document {place}", text, publish=False): place for place, text in enumerate(case.passages)
    }
    corpus.publish()
    return space, places


if __name__ == "__main__":
    main(sys.argv[1], *(float(share) for share in sys.argv[2:3]))
