"""Cite: nothing is shown that no given passage supports, and every quote is exactly what the document says."""

from collections.abc import Sequence
from dataclasses import dataclass

from kbcore.domain.chunk import Passage
from kbcore.domain.conversation import Citation
from services.query.agreement import Similarity
from services.query.statements import Statement
from services.query.support import Stretch, find_evidence


@dataclass(frozen=True, slots=True)
class Cited:
    """A verified statement: `text` ends in its markers; `new` are the citations that it is the first to use."""

    text: str
    new: tuple[Citation, ...]


class Citer:
    """Verifies the statements of one answer against its numbered passages (1 = the first), in order.

    Markers are renumbered: each stands for one quote. A cited passage that does not support its statement is replaced
    by one that does; a statement without any is dropped.
    """

    def __init__(self, passages: Sequence[Passage], question: str, similarity: Similarity) -> None:
        self._passages = passages
        self._question = question
        self._similarity = similarity
        self._citations: dict[tuple[str, int, int], Citation] = {}
        self._texts: set[str] = set()

    @property
    def citations(self) -> tuple[Citation, ...]:
        """All citations so far, in the order of their markers."""
        return tuple(self._citations.values())

    def cite(self, statement: Statement) -> Cited | None:
        """The statement with its verified markers; None if nothing supports it or it only repeats an earlier one."""
        if not statement.text or statement.text in self._texts:
            return None
        evidence = self._evidence(statement)
        if not evidence:
            return None
        self._texts.add(statement.text)
        known = len(self._citations)
        markers = dict.fromkeys(self.mark(passage, span).marker for passage, span in evidence)
        lead = statement.lead if self._texts != {statement.text} else ""
        return Cited(lead + statement.text + "".join(markers), self.citations[known:])

    def _evidence(self, statement: Statement) -> list[tuple[Passage, Stretch]]:
        numbered = [self._passages[n - 1] for n in statement.cited if 1 <= n <= len(self._passages)]
        confirmed = [(passage, span) for passage in numbered if (span := self._find(statement, passage))]
        if confirmed:
            return confirmed
        others = [passage for passage in self._passages if passage not in numbered]
        found = [(passage, span) for passage in others if (span := self._find(statement, passage))]
        return [max(found, key=lambda item: item[1].support)] if found else []

    def _find(self, statement: Statement, passage: Passage) -> Stretch | None:
        return find_evidence(statement.text, passage, self._question, self._similarity)

    def mark(self, passage: Passage, span: Stretch) -> Citation:
        """The citation of characters `start:end` of a passage's text, made when it is first needed."""
        key = (passage.chunk_id, span.start, span.end)
        if key not in self._citations:
            self._citations[key] = Citation(
                marker=f"[{len(self._citations) + 1}]",
                chunk_id=passage.chunk_id,
                document_id=passage.document_id,
                version=passage.version,
                title=passage.title,
                quote=passage.text[span.start : span.end],
                uri=passage.uri,
                page=passage.page,
                heading=passage.heading,
                start=passage.start + span.start,
                end=passage.start + span.end,
                effective_from=passage.effective_from,
                effective_to=passage.effective_to,
                current=passage.current,
            )
        return self._citations[key]
