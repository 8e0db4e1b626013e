"""`ZhikuRetriever`: Zhiku's search as a retriever of LangChain."""

import weakref
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field, PrivateAttr, SecretStr

from services.client.answers import Passage, SearchResults
from services.client.client import AsyncZhikuClient, ZhikuClient
from services.client.wire import Mode


class ZhikuRetriever(BaseRetriever):
    """The passages that the owner of the key may read, best first, as LangChain documents.

    A document's `page_content` is the passage, its `id` the chunk's; `metadata` says where the passage stands and how
    well it fits. Raises `ZhikuClientError`, never returns a part of an answer. Works in threads and in event loops.
    """

    url: str = Field(description="The server's address, such as `https://kb.example.com`.")
    key: SecretStr = Field(description="An API key, session or OIDC token.")
    spaces: list[str] | None = Field(None, description="Ids or names of spaces; None = all that its owner may read.")
    top_k: int = Field(8, ge=1, description="How many passages at most.")
    filters: dict[str, Any] | None = Field(
        None, description="`tags`, `language`, `metadata` that the documents must have."
    )
    as_of: str | None = Field(None, description="A time, `snapshot:NAME` or `epoch:N`: the documents as they were.")
    mode: Mode | None = Field(None, description="`hybrid` (default), `dense` or `keyword`.")

    _client: ZhikuClient = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Connects to nothing yet."""
        super().model_post_init(context)
        self._client = ZhikuClient(self.url, self.key.get_secret_value())
        weakref.finalize(self, self._client.close)  # retrievers are rarely closed by hand

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain's signature
    ) -> list[Document]:
        return _documents(self._client.search(query, **self._wanted()))

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain's signature
    ) -> list[Document]:
        # A connection belongs to its event loop, and a retriever may be used in several.
        async with AsyncZhikuClient(self.url, self.key.get_secret_value()) as client:
            return _documents(await client.search(query, **self._wanted()))

    def close(self) -> None:
        """Give back the connections; this retriever is then done with."""
        self._client.close()

    def _wanted(self) -> dict[str, Any]:
        return {
            "spaces": self.spaces,
            "top_k": self.top_k,
            "filters": self.filters,
            "as_of": self.as_of,
            "mode": self.mode,
        }


def _documents(found: SearchResults) -> list[Document]:
    return [
        Document(id=passage.chunk_id, page_content=passage.text, metadata=_metadata(passage, found.epoch))
        for passage in found.passages
    ]


def _metadata(passage: Passage, epoch: int) -> dict[str, Any]:
    """Plain values, so that other tools can store them; `source` is the address of the original file."""
    source = passage.source
    return {
        "chunk_id": passage.chunk_id,
        "document_id": passage.document_id,
        "version": passage.version,
        "title": passage.title,
        "space": passage.space,
        "score": passage.score,
        "scores": dict(passage.scores),
        "source": source.url,
        "page": source.page,
        "heading": list(source.heading),
        "start": source.start,
        "end": source.end,
        "classification": passage.classification,
        "language": passage.language,
        "effective_from": passage.effective_from and passage.effective_from.isoformat(),
        "effective_to": passage.effective_to and passage.effective_to.isoformat(),
        "current": passage.current,
        "epoch": epoch,
    }
