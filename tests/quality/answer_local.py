"""What the local model makes of questions to the sample company, asked as somebody of HR on the real path.

    python -m tests.quality.answer_local FOLDER

FOLDER is a data folder to which `zhiku models add local-qwen` has added the model. Prints each answer, what of it the
model wrote, its citations and its time; then the counts. `contains` is what a right answer's quotes hold; questions
without it have no answer in the documents.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.demo.manifest import manifest
from services.query.answer import Answer
from services.query.pipeline import ask
from services.query.quotes_below import HEADING
from services.query.request import AskRequest
from tests.builders import Corpus
from tests.quality.answer_samples import settle
from tests.servers.embedded import embedded_platform
from tests.servers.local_model import adopt, local_model

_TIMEOUT = {"ZHIKU_LOCAL_MODEL__TIMEOUT_S": "300"}  # the machine may be busy


@dataclass(frozen=True)
class Asked:
    """A question and what its answer must hold; None if the documents do not say."""

    text: str
    contains: str | None = None


QUESTIONS = (
    Asked("年假可以结转吗？", "结转"),
    Asked("一线城市的住宿费限额是多少？", "元"),
    Asked("P6 职级的月度基本工资范围是多少？", "26,000"),
    Asked("How do I reset a forgotten password?", "password"),
    Asked("What does error E1042 mean?", "E1042"),
    Asked("公司食堂的早餐几点开始供应？", "7:45"),
    Asked("打印机在几楼？"),
    Asked("What is the visa procedure for employees who move to the Brazil office?"),
    Asked("Who discovered comet Tarvo?"),
)


def main(home: Path) -> None:
    """Fill, serve, ask, print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as scratch, embedded_platform() as platform:
        corpus = Corpus.open(platform)
        caller = settle(corpus, manifest())["hr"]
        began = time.monotonic()
        with local_model(home, Path(scratch), **_TIMEOUT) as settings:
            print(f"model loaded after {time.monotonic() - began:.1f} s")
            adopt(platform, settings)
            counts: dict[str, int] = {}
            for asked in QUESTIONS:
                began = time.monotonic()
                request = AskRequest(asked.text, model=settings.local_model.name)
                answer = next(e for e in ask(platform, caller, request) if isinstance(e, Answer))
                verdict = judged(asked, answer)
                counts[verdict] = counts.get(verdict, 0) + 1
                print(f"\n{asked.text}  ({time.monotonic() - began:.1f} s)\n  {verdict}: {answer.text!r}")
                print(f"  {answer.model}, {answer.routed_because}, {len(answer.citations)} citations")
        print("\n" + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))


def judged(asked: Asked, answer: Answer) -> str:
    """Refused, only quotes, or words of the model's own with quotes; and whether that is as it should be."""
    own = any(heading in answer.text for heading in HEADING.values())
    kind = "refused" if answer.abstained else "written and quoted" if own else "quoted only"
    if asked.contains is None:
        return f"no answer exists, {kind}"
    held = asked.contains in "".join(citation.quote for citation in answer.citations)
    return f"answer exists, {kind}" + ("" if answer.abstained else ", right source" if held else ", WRONG source")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
