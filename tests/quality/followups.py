"""Does a follow-up become the question that was meant? Prints the decision's precision, what is then found and quoted.

    python -m tests.quality.followups [-v]

The sample company's documents on the real path, asked as its administrator would who may read all of them.
"""

import sys
from collections.abc import Callable, Sequence

import structlog

from kbcore.domain.document import Classification
from kbcore.domain.principal import Caller
from services.demo.manifest import manifest
from services.query.answer import Answer
from services.query.pipeline import ask, search
from services.query.request import AskRequest, SearchRequest
from services.query.understand.rewrite import rewrite
from tests.builders import Corpus
from tests.quality.answer_samples import settle
from tests.quality.followup_cases import CHINESE, ENGLISH, Case
from tests.servers.embedded import embedded_platform

REFUSED = -1
Rewrite = Callable[[str, Sequence[tuple[str, str]]], str]


def main(*, verbose: bool) -> None:
    """Print both languages."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with embedded_platform() as platform:
        corpus = Corpus.open(platform)
        settle(corpus, manifest())
        reader = corpus.person("reader", "all-staff", "hr", "finance", clearance=Classification.RESTRICTED)
        for name, cases in (("zh", CHINESE), ("en", ENGLISH)):
            report(name, cases, corpus, reader, verbose=verbose)


def report(name: str, cases: Sequence[Case], corpus: Corpus, reader: Caller, *, verbose: bool) -> None:
    """How often a follow-up is taken for one, and how often the passage is among the first 1 and 3."""
    decided = {True: [0, 0], False: [0, 0]}
    places: dict[str, list[int]] = {"as asked": [], "rewritten": []}
    quotes: list[int] = []
    for earlier, question, is_follow_up, wanted in cases:
        standalone = rewrite(question, [(each, "") for each in earlier])
        joined = standalone != question
        decided[is_follow_up][joined is is_follow_up] += 1
        at = place(corpus, reader, standalone, wanted)
        if is_follow_up:
            places["as asked"].append(place(corpus, reader, question, wanted))
            places["rewritten"].append(at)
            quotes.append(quoted(corpus, reader, earlier, question, wanted))
        if verbose and (joined is not is_follow_up or not 1 <= at <= 1):
            print(f"  {'WRONG' if joined is not is_follow_up else '     '} {at} {question!r} -> {standalone!r}")
    yes, no = decided[True], decided[False]
    precision = yes[1] / max(yes[1] + no[0], 1)
    print(
        f"{name}: follow-ups seen {yes[1]}/{sum(yes)}, others left alone {no[1]}/{sum(no)}, precision {precision:.3f}"
    )
    for which, found in places.items():
        first, third = (sum(1 <= at <= most for at in found) for most in (1, 3))
        print(f"    {which:10} wanted passage first {first}/{len(found)}, among three {third}/{len(found)}", flush=True)
    answered = f"quoted first {quotes.count(1)}/{len(quotes)}, at all {sum(at > 0 for at in quotes)}/{len(quotes)}"
    print(f"    answers    wanted text {answered}, refused {quotes.count(REFUSED)}", flush=True)


def quoted(corpus: Corpus, reader: Caller, earlier: Sequence[str], question: str, wanted: str) -> int:
    """1 = the first quote of the answer says it; 0 = none does."""
    request = AskRequest(question, history=tuple((each, "…") for each in earlier))
    answer = next(event for event in ask(corpus.platform, reader, request) if isinstance(event, Answer))
    if answer.abstained:
        return REFUSED
    return next((at for at, citation in enumerate(answer.citations, 1) if wanted in citation.quote), 0)


def place(corpus: Corpus, reader: Caller, question: str, wanted: str) -> int:
    """1 = first; 0 = not among the first 8."""
    ranked = search(corpus.platform, reader, SearchRequest(question, 8)).ranked
    return next((at for at, item in enumerate(ranked, 1) if wanted in item.passage.text), 0)


if __name__ == "__main__":
    main(verbose="-v" in sys.argv)
