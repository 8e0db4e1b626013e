"""`ZhikuClient` and `AsyncZhikuClient`: search, ask, and an answer as it is written."""

from collections.abc import AsyncIterator, Iterator, Sequence
from types import TracebackType
from typing import Self

import httpx

from services.client import wire
from services.client.answers import Answer, AskEvent, SearchResults
from services.client.wire import ASK_TIMEOUT_S, EventReader, Filters, Mode

_SEARCH, _ASK = "/v1/search", "/v1/ask"


class ZhikuClient:
    """A connection to a server as the owner of a key. Thread-safe. Close it, or use it as a context manager.

    Every method raises `ZhikuClientError`. Passages and answers hold only what the owner may read now; if that can't be
    decided, `Unavailable` with code `acl_unavailable`, never a part.
    """

    def __init__(self, url: str, key: str) -> None:
        """`url` is the server's address, such as `https://kb.example.com`; `key` an API key, session or OIDC token."""
        self.url = url.rstrip("/")
        self._http = httpx.Client(**wire.connection(self.url, key))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    def search(
        self,
        query: str,
        *,
        spaces: Sequence[str] | None = None,
        top_k: int | None = None,
        filters: Filters | None = None,
        as_of: str | None = None,
        mode: Mode | None = None,
        rerank: bool | None = None,
    ) -> SearchResults:
        """The best passages. `as_of`: a time, `snapshot:NAME` or `epoch:N`. What is None is up to the server."""
        asked = wire.body(
            query=query, spaces=spaces, top_k=top_k, filters=filters, as_of=as_of, mode=mode, rerank=rerank
        )
        with wire.reaching(self.url):
            response = self._http.post(_SEARCH, json=asked)
        return wire.decoded(response, SearchResults.read, self.url)

    def ask(
        self,
        question: str,
        *,
        spaces: Sequence[str] | None = None,
        filters: Filters | None = None,
        as_of: str | None = None,
        conversation_id: str | None = None,
        model: str | None = None,
    ) -> Answer:
        """A cited answer; with a `conversation_id` of an earlier one, in its context."""
        asked = wire.body(
            question=question,
            spaces=spaces,
            filters=filters,
            as_of=as_of,
            conversation_id=conversation_id,
            model=model,
        )
        with wire.reaching(self.url):
            response = self._http.post(_ASK, json=asked, timeout=ASK_TIMEOUT_S)
        return wire.decoded(response, Answer.read, self.url)

    def ask_stream(
        self,
        question: str,
        *,
        spaces: Sequence[str] | None = None,
        filters: Filters | None = None,
        as_of: str | None = None,
        conversation_id: str | None = None,
        model: str | None = None,
    ) -> Iterator[AskEvent]:
        """The answer as it is written: `Retrieval`, then `Token`s and `Cited`s, last `Done`. Closing it stops it."""
        asked = wire.body(
            question=question,
            spaces=spaces,
            filters=filters,
            as_of=as_of,
            conversation_id=conversation_id,
            model=model,
            stream=True,
        )
        reader = EventReader(self.url)
        with (
            wire.reaching(self.url),
            self._http.stream("POST", _ASK, json=asked, timeout=ASK_TIMEOUT_S) as response,
        ):
            if not response.is_success:
                response.read()
                wire.require_success(response)
            for piece in response.iter_bytes():
                yield from reader.feed(piece)
        reader.end()


class AsyncZhikuClient:
    """The same without blocking. Belongs to the event loop in which it is first used."""

    def __init__(self, url: str, key: str) -> None:
        """See `ZhikuClient`."""
        self.url = url.rstrip("/")
        self._http = httpx.AsyncClient(**wire.connection(self.url, key))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back the connections."""
        await self._http.aclose()

    async def search(
        self,
        query: str,
        *,
        spaces: Sequence[str] | None = None,
        top_k: int | None = None,
        filters: Filters | None = None,
        as_of: str | None = None,
        mode: Mode | None = None,
        rerank: bool | None = None,
    ) -> SearchResults:
        """See `ZhikuClient.search`."""
        asked = wire.body(
            query=query, spaces=spaces, top_k=top_k, filters=filters, as_of=as_of, mode=mode, rerank=rerank
        )
        with wire.reaching(self.url):
            response = await self._http.post(_SEARCH, json=asked)
        return wire.decoded(response, SearchResults.read, self.url)

    async def ask(
        self,
        question: str,
        *,
        spaces: Sequence[str] | None = None,
        filters: Filters | None = None,
        as_of: str | None = None,
        conversation_id: str | None = None,
        model: str | None = None,
    ) -> Answer:
        """See `ZhikuClient.ask`."""
        asked = wire.body(
            question=question,
            spaces=spaces,
            filters=filters,
            as_of=as_of,
            conversation_id=conversation_id,
            model=model,
        )
        with wire.reaching(self.url):
            response = await self._http.post(_ASK, json=asked, timeout=ASK_TIMEOUT_S)
        return wire.decoded(response, Answer.read, self.url)

    async def ask_stream(
        self,
        question: str,
        *,
        spaces: Sequence[str] | None = None,
        filters: Filters | None = None,
        as_of: str | None = None,
        conversation_id: str | None = None,
        model: str | None = None,
    ) -> AsyncIterator[AskEvent]:
        """See `ZhikuClient.ask_stream`."""
        asked = wire.body(
            question=question,
            spaces=spaces,
            filters=filters,
            as_of=as_of,
            conversation_id=conversation_id,
            model=model,
            stream=True,
        )
        reader = EventReader(self.url)
        with wire.reaching(self.url):
            async with self._http.stream("POST", _ASK, json=asked, timeout=ASK_TIMEOUT_S) as response:
                if not response.is_success:
                    await response.aread()
                    wire.require_success(response)
                async for piece in response.aiter_bytes():
                    for event in reader.feed(piece):
                        yield event
        reader.end()
