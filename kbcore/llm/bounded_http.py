"""An end to responses that have none: a service that only says that it is alive, or a line that never ends.

The clients' time-out is for one silence, and they pass over keep-alives without a word to us; so this sits below them.
"""

import time
from collections.abc import Iterator

import httpx2

MOST_BYTES = 64 * 1024 * 1024
"""Of one response; a long answer with its frames has less than one of them."""


def bound(client: httpx2.Client, longest_s: float) -> None:
    """From now on no response of this client lasts longer than so many seconds, or is larger than `MOST_BYTES`.

    What goes over is broken off with `httpx2.ReadTimeout`.
    """

    def limit(response: httpx2.Response) -> None:
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _Bounded(response.stream, response.request, longest_s)

    client.event_hooks = {"response": [limit]}


class _Bounded(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, request: httpx2.Request, longest_s: float) -> None:
        self._stream = stream
        self._request = request
        self._ends = time.monotonic() + longest_s

    def __iter__(self) -> Iterator[bytes]:
        received = 0
        for piece in self._stream:
            received += len(piece)
            if received > MOST_BYTES or time.monotonic() > self._ends:
                raise httpx2.ReadTimeout("no end of it", request=self._request)
            yield piece

    def close(self) -> None:
        self._stream.close()
