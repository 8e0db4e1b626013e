"""A client of Zhiku for other programs: needs httpx, and langchain-core for the retriever; nothing of the service.

    from services.client import ZhikuClient, ZhikuRetriever

    with ZhikuClient("https://kb.example.com", "zk_…") as zhiku:
        print(zhiku.ask("年假可以结转吗?").text)
    documents = ZhikuRetriever(url="https://kb.example.com", key="zk_…", spaces=["hr"]).invoke("年假")

Every answer holds only what the owner of the key may read.
"""

from typing import TYPE_CHECKING, Any

from services.client.answers import Answer, AskEvent, Citation, Cited, Done, Passage, Retrieval, SearchResults, Token
from services.client.client import AsyncZhikuClient, ZhikuClient
from services.client.errors import (
    BadAnswer,
    InvalidRequest,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    TooManyRequests,
    Unavailable,
    Unreachable,
    ZhikuClientError,
)

if TYPE_CHECKING:
    from services.client.retriever import ZhikuRetriever

__all__ = [
    "Answer",
    "AskEvent",
    "AsyncZhikuClient",
    "BadAnswer",
    "Citation",
    "Cited",
    "Done",
    "InvalidRequest",
    "NotAllowed",
    "NotAuthenticated",
    "NotFound",
    "Passage",
    "Retrieval",
    "SearchResults",
    "Token",
    "TooManyRequests",
    "Unavailable",
    "Unreachable",
    "ZhikuClient",
    "ZhikuClientError",
    "ZhikuRetriever",
]


def __getattr__(name: str) -> Any:
    """`ZhikuRetriever` when it is asked for: langchain-core takes longer to import than all the rest."""
    if name == "ZhikuRetriever":
        from services.client.retriever import ZhikuRetriever  # noqa: PLC0415

        return ZhikuRetriever
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
