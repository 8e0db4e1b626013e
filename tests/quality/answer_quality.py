"""How good are answers: refusals, citations, quotes; what becomes of a perfect model's words, and of a fabricator's?

    python -m tests.quality.answer_quality DATA [set …]

`extractive`: the default, with both gates. Refusal precision = of the questions refused, how many have no answer in
their passages; recall = of those without an answer, how many are refused. Citation precision = of the quotes, how many
are of a gold passage (stard) or touch the evidence that people marked (expmrc, clapnq); recall = of the answerable
questions, how many got such a quote. `quoter` says the marked evidence, `fabricator` the same with another question's
answer in it; both are real models over HTTP, and cite correctly. Shown = what verification let through: for the
fabricator only where the strange answer is in what was shown.
"""

import os
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from kbcore.domain.conversation import Citation
from kbcore.domain.document import Classification
from kbcore.llm.breaker import Breaker
from kbcore.llm.interface import AnswerModel
from kbcore.llm.langchain_chat import LangChainModel
from kbcore.llm.providers import ChatService
from kbcore.settings import CONFIG_FOLDER
from tests.quality.answer_bench import Bench, Reply, place_of
from tests.quality.answer_sets import ANSWER_SETS, SEED, Case
from tests.servers.chat_server import ChatServer, chat_server


@dataclass(frozen=True, slots=True)
class Share:
    """A fraction with its counts."""

    part: int
    whole: int

    def __add__(self, other: "Share") -> "Share":
        return Share(self.part + other.part, self.whole + other.whole)

    def __str__(self) -> str:
        return f"{self.part / self.whole:.2f} ({self.part}/{self.whole})" if self.whole else "–"


def main(data: Path, names: Sequence[str]) -> None:
    """Print one line for each set, and the scripted models where people marked evidence."""
    bench = Bench()
    print("load", *(f"{value:.1f}" for value in os.getloadavg()), "seed", SEED)
    exact = quotes = 0
    with chat_server() as server:
        scripted = _scripted(server)
        for name in names or ANSWER_SETS:
            load, size = ANSWER_SETS[name]
            cases = load(data, size)
            ranked = [bench.ranked(case) for case in cases]
            replies = [
                bench.reply(case.question, each, bench.extractive) for case, each in zip(cases, ranked, strict=True)
            ]
            print(f"{name}: {len(cases)} questions; extractive: {refusals(cases, replies)}; {cited(cases, replies)}")
            for role in ("quoter", "fabricator"):
                marked = [(case, each) for case, each in zip(cases, ranked, strict=True) if case.answer]
                if not marked:
                    continue
                said, wrong = [], 0
                for case, each in marked:
                    strange = _strange(case, [other for other, _ in marked])
                    server.answer = _words(role, case, strange)
                    said.append(bench.reply(case.question, each, scripted, gated=False))
                    wrong += strange in said[-1].text
                shown = Share(wrong if role == "fabricator" else sum(bool(each.text) for each in said), len(said))
                print(f"  {role}: shown {shown}; {cited([case for case, _ in marked], said)}")
                replies += said
            exact += sum(reply.exact for reply in replies)
            quotes += sum(len(reply.citations) for reply in replies)
    print(f"quotes that are exactly characters start:end of the stored text: {Share(exact, quotes)}")
    print("load", *(f"{value:.1f}" for value in os.getloadavg()))


def _scripted(server: ChatServer) -> AnswerModel:
    return LangChainModel(
        "say",
        ChatService("openai", "say", server.base_url, "none", api_version="", timeout_s=10),
        allowed=Classification.RESTRICTED,
        context_tokens=8192,
        prompts=CONFIG_FOLDER / "prompts",
        breaker=Breaker(failures=1000, rest_s=1),
    )


def _strange(case: Case, others: Sequence[Case]) -> str:
    """An answer to another question, which stands nowhere in this one's passage."""
    strange = [other.answer for other in others if other.answer not in case.passages[0]]
    return random.Random(case.question).choice(strange)


def _words(role: str, case: Case, strange: str) -> str:
    """The evidence with its marker; for the fabricator, with the strange answer in it."""
    if role == "quoter":
        return f"{case.evidence}[1]"
    said = case.evidence.replace(case.answer, strange) if case.answer in case.evidence else f"{strange}。"
    return f"{said}[1]"


def refusals(cases: Sequence[Case], replies: Sequence[Reply]) -> str:
    """How many of the answerable are answered, and how right and complete the refusals are."""
    refused = [case for case, reply in zip(cases, replies, strict=True) if not reply.text]
    right = sum(not case.answerable for case in refused)
    without = sum(not case.answerable for case in cases)
    kept = len(cases) - without - (len(refused) - right)
    answered = f"answerable answered {Share(kept, len(cases) - without)}"
    return f"{answered}, refusal precision {Share(right, len(refused))} recall {Share(right, without)}"


def cited(cases: Sequence[Case], replies: Sequence[Reply]) -> str:
    """How many quotes are right, and how many questions got a right one, where people marked what is."""
    judged = [(case, reply) for case, reply in zip(cases, replies, strict=True) if case.gold or case.evidence]
    hits = [[_right(case, each) for each in reply.citations] for case, reply in judged]
    precision = Share(sum(map(sum, hits)), sum(map(len, hits)))
    return f"citation precision {precision} recall {Share(sum(map(any, hits)), len(hits))}"


def _right(case: Case, citation: Citation) -> bool:
    """Whether a quote is of a gold passage, and shares half of the shorter one with the evidence where it is known."""
    if case.gold and place_of(citation) not in case.gold:
        return False
    return not case.evidence or _overlap(citation.quote, case.evidence) >= 0.5


def _overlap(one: str, other: str) -> float:
    """The longest common stretch as a share of the shorter text."""
    match = SequenceMatcher(None, one, other, autojunk=False).find_longest_match()
    return match.size / max(min(len(one), len(other)), 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
