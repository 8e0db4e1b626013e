"""One side of an evaluation: a generation, searched as people search it."""

from dataclasses import dataclass, field

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.errors import ItemFailed
from kbcore.metadata.generations import Generation
from services.query.found import Found
from services.query.pipeline import search
from services.query.request import SearchRequest


@dataclass(frozen=True, slots=True)
class Shown:
    """That somebody was shown a document for a question."""

    user_id: str
    question_id: str
    document_id: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A finished search: its documents, each by its best passage, best first; and how long it took in ms."""

    documents: list[str]
    milliseconds: float


@dataclass(slots=True)
class Side:
    """A generation and what was seen of it: who was shown what, and how many hits of the index SQL refused."""

    generation: Generation
    refused: int = 0
    shown: set[Shown] = field(default_factory=set)
    measured: dict[str, Asked] = field(default_factory=dict)

    def ask(self, platform: Platform, caller: Caller, question_id: str, question: str) -> Asked:
        """Search, and keep what this caller was shown. Raises what `search` raises."""
        found = self.search(platform, caller, question)
        documents = list(dict.fromkeys(item.passage.document_id for item in found.ranked))
        self.refused += found.refused
        self.shown.update(Shown(caller.user_id, question_id, document) for document in documents)
        return Asked(documents, found.took.total)

    def search(self, platform: Platform, caller: Caller, question: str) -> Found:
        """Search the generation with this caller's rights: the same filter, check and reranker as for everybody.

        Raises `ItemFailed` (`index_gone`) if it was dropped meanwhile: finding nothing would count as a bad ranking.
        """
        passages = platform.settings.retrieval.candidates  # enough of them for ten documents
        found = search(platform, caller, SearchRequest(question, passages, generation_id=self.generation.id))
        index = found.standpoint.index
        if index is None or index.id != self.generation.id:
            raise ItemFailed("index_gone", f"index {self.generation.id} was dropped while it was measured")
        return found
