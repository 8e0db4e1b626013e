"""A process's connection to Milvus: opened at first use, patient with restarts, with our errors, not pymilvus's."""

import logging
from collections.abc import Callable
from functools import cached_property
from threading import Lock
from typing import Any, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from kbcore.errors import Unavailable, ZhikuError
from kbcore.vectors.milvus_schema import IndexProfile, profile_of

Result = TypeVar("Result")

READ_TIMEOUT_S = 20.0
WRITE_TIMEOUT_S = 120.0
PATIENCE_S = 12.0
"""How long an unreachable server is waited for: a restarted one needs up to 5 s until the channel is back."""

_FAIL_CONNECT = 2
_COLLECTION_NOT_FOUND = 100
_COLLECTION_NOT_LOADED = 101


class _OutageError(Exception):
    """The server cannot be reached just now."""


class MilvusConnection:
    """Runs operations on a lazily created `pymilvus.MilvusClient`, which is safe for threads.

    `run` repeats an operation while the server is unreachable, so operations must be safe to repeat.
    """

    def __init__(self, uri: str, token: str, profile: IndexProfile | None, patience_s: float) -> None:
        self._patience_s = patience_s
        self._uri = uri
        self._token = token
        self._forced_profile = profile
        self._client: Any = None
        self._lock = Lock()

    @cached_property
    def profile(self) -> IndexProfile:
        """How this server is to be used; asks it once."""
        if self._forced_profile is not None:
            return self._forced_profile
        version: str = self.run(lambda client: client.get_server_version(timeout=READ_TIMEOUT_S))
        return profile_of(version)

    def run(self, operation: Callable[[Any], Result], *, collection: str | None = None) -> Result:
        """The result of `operation(client)`.

        A collection that a restarted server has not loaded yet is loaded. Raises `Unavailable` if the server cannot be
        reached or the collection is missing, `ZhikuError` if the server refuses the operation.
        """
        attempts = Retrying(
            stop=stop_after_delay(self._patience_s),
            wait=wait_exponential(multiplier=0.05, max=1.0),
            retry=retry_if_exception_type(_OutageError),
            reraise=True,
        )
        try:
            result: Result = attempts(self._attempt, operation, collection)
        except _OutageError:
            raise Unavailable("The vector index (Milvus) does not answer.") from None
        return result

    def _attempt(self, operation: Callable[[Any], Result], collection: str | None) -> Result:
        import grpc  # noqa: PLC0415
        from pymilvus.exceptions import MilvusException  # noqa: PLC0415

        try:
            client = self._connected()
            try:
                return operation(client)
            except MilvusException as error:
                if error.code != _COLLECTION_NOT_LOADED or collection is None:
                    raise
                client.load_collection(collection, timeout=WRITE_TIMEOUT_S)
                return operation(client)
        except grpc.RpcError as error:
            raise _translated(error.code(), str(error.details())) from error
        except MilvusException as error:
            raise _translated(error.code, error.message) from error

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                from pymilvus import MilvusClient  # noqa: PLC0415

                # pymilvus logs a stack trace for every failed attempt of a call that we repeat or report ourselves.
                logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
                self._client = MilvusClient(self._uri, token=self._token, timeout=READ_TIMEOUT_S)
            return self._client


def _translated(code: Any, message: str) -> Exception:
    import grpc  # noqa: PLC0415

    if code in (_FAIL_CONNECT, grpc.StatusCode.UNAVAILABLE):
        return _OutageError()
    if code in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
        return Unavailable("The vector index (Milvus) did not answer in time.")
    if code == _COLLECTION_NOT_FOUND:
        return Unavailable("A vector collection is missing in Milvus; rebuild the index.")
    return ZhikuError(f"Milvus refused an operation (code {code}): {message[:200]}")
