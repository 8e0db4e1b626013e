"""The three tools. Each is a route's own function, or reads what the route reads: same rights, same errors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from kbcore.audit.events import AuditEvent
from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from services.api.audited import SeenRequest
from services.api.dependencies import Limits
from services.api.mcp.place import Place
from services.api.mcp.shapes import (
    Answered,
    AskArguments,
    FetchArguments,
    Fetched,
    FetchedMetadata,
    Hit,
    HitMetadata,
    SearchArguments,
    SearchResults,
    Source,
)
from services.api.rights import RIGHTS, require
from services.api.routes.ask import ask_question
from services.api.routes.search import search_passages
from services.api.schemas.ask import AskAnswer, AskBody, CitationOut
from services.api.schemas.search import Result, SearchBody
from services.library.access import readable_document
from services.library.revise import existing_version, text_of


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: whose it is, and where this server is for its client (`base_url`, without a slash at the end).

    `seen` is the request as the audit log knows it, `limits` are those that its tools ask as their routes do.
    """

    platform: Platform
    caller: Caller
    trace_id: str
    base_url: str
    seen: SeenRequest
    limits: Limits


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as clients see it, the route that it stands for, and what carries it out (raises `ZhikuError`)."""

    name: str
    title: str
    description: str
    route: str
    arguments: type[BaseModel]
    result: type[BaseModel]
    run: Callable[[Visit, Any], BaseModel]

    def require(self, caller: Caller) -> None:
        """Raises `Forbidden` (`scope_missing`) for whom the route would refuse."""
        require(RIGHTS[self.route], caller)

    @property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return self.arguments.model_json_schema()

    @property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the structured result."""
        return self.result.model_json_schema(mode="serialization")


def search(visit: Visit, asked: SearchArguments) -> SearchResults:
    """As `POST /v1/search`."""
    body = SearchBody.model_validate(asked.model_dump())
    found = search_passages(body, visit.platform, visit.caller, visit.limits, visit.trace_id)
    return SearchResults(
        results=[_hit(visit, result) for result in found.results],
        epoch=found.epoch,
        incomplete=found.incomplete,
        trace_id=found.trace_id,
    )


def fetch(visit: Visit, asked: FetchArguments) -> Fetched:
    """As `GET /v1/documents/{id}/versions/{n}`: the whole text, or as much of it as `mcp.fetch_chars` allows."""
    place = Place.parse(asked.id)
    with visit.platform.database.snapshot() as connection:
        document = readable_document(connection, visit.caller, place.document_id)
        number = document.version if place.version is None else place.version
        version = existing_version(connection, document.id, number)
        text = text_of(connection, document.id, number).text
    limit = visit.platform.settings.mcp.fetch_chars
    start, end = place.window(len(text), limit)
    # What can't be recorded isn't shown.
    visit.platform.audit.record(
        [AuditEvent.by(visit.caller, "document.read", documents=(document.id,), what="text", version=number)]
    )
    following = Place(document.id, number, end, end + limit)
    return Fetched(
        id=asked.id,
        title=version.title,
        text=text[start:end],
        url=visit.base_url + f"/v1/documents/{document.id}/versions/{number}/content",
        metadata=FetchedMetadata(
            document_id=document.id,
            version=number,
            effective_from=version.effective_from,
            effective_to=version.effective_to,
            current=number == document.version,
            space=document.space,
            start=start,
            end=end,
            length=len(text),
            next=str(following) if end < len(text) else None,
        ),
    )


def ask(visit: Visit, asked: AskArguments) -> Answered:
    """As `POST /v1/ask`."""
    body = AskBody.model_validate(asked.model_dump())
    answer = ask_question(body, visit.platform, visit.caller, visit.limits, visit.trace_id)
    assert isinstance(answer, AskAnswer)  # it was not asked to stream
    return Answered(
        answer=answer.answer,
        citations=[_source(visit, citation) for citation in answer.citations],
        abstained=answer.abstained,
        reason=answer.reason,
        conversation_id=answer.conversation_id,
        model=answer.model,
        experimental=answer.experimental,
        routed_because=answer.routed_because,
        epoch=answer.epoch,
        incomplete=answer.incomplete,
        trace_id=answer.trace_id,
    )


TOOLS = (
    Tool(
        "search",
        "Search the knowledge base",
        "Finds passages in the organisation's documents that you may read, best first; `fetch` reads on around one. "
        "在您有权阅读的文档中检索相关段落。",
        "POST /v1/search",
        SearchArguments,
        SearchResults,
        search,
    ),
    Tool(
        "fetch",
        "Read a document",
        "Reads the document that an id of `search` stands for: all of its text, or as much as fits around the passage. "
        "按检索结果的 id 读取文档原文。",
        "GET /v1/documents/{document_id}/versions/{number}",
        FetchArguments,
        Fetched,
        fetch,
    ),
    Tool(
        "ask",
        "Ask the knowledge base",
        "Answers a question from the documents that you may read, each statement with its quote, or says that they "
        "don't tell. 依据您有权阅读的文档回答问题，并逐句给出引文。",
        "POST /v1/ask",
        AskArguments,
        Answered,
        ask,
    ),
)


def _hit(visit: Visit, result: Result) -> Hit:
    source = result.source
    return Hit(
        id=str(Place(result.document_id, result.version, source.start, source.end)),
        title=result.title,
        url=visit.base_url + source.uri,
        text=result.text,
        metadata=HitMetadata(
            document_id=result.document_id,
            version=result.version,
            effective_from=result.effective_from,
            effective_to=result.effective_to,
            current=result.current,
            space=result.space,
            page=source.page,
            heading=source.heading,
            score=result.score,
        ),
    )


def _source(visit: Visit, citation: CitationOut) -> Source:
    source = citation.source
    return Source(
        document_id=citation.document_id,
        version=citation.version,
        effective_from=citation.effective_from,
        effective_to=citation.effective_to,
        current=citation.current,
        marker=citation.marker,
        id=str(Place(citation.document_id, citation.version, source.start, source.end)),
        title=citation.title,
        url=visit.base_url + source.uri,
        quote=citation.quote,
    )
