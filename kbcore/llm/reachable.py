"""Whether a model's server is there, without asking the model anything."""

from urllib.parse import urlsplit

import httpx

from kbcore.egress.addresses import LOOPBACK
from kbcore.errors import Unavailable

_TIMEOUT_S = 0.4
"""To connect, and again until it begins to answer."""


def require_server(name: str, base_url: str) -> None:
    """Return if the server of this model answers HTTP; the key stays here, so "who are you?" is an answer, too.

    Raises `Unavailable` if nobody answers in time, or one that says that it cannot serve (5xx: it is still loading).
    """
    try:
        proxied = urlsplit(base_url).hostname not in LOOPBACK
        url = f"{base_url.rstrip('/')}/models"
        with httpx.stream("GET", url, timeout=_TIMEOUT_S, trust_env=proxied) as response:
            serves = response.status_code < httpx.codes.INTERNAL_SERVER_ERROR
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        serves = False
    if not serves:
        raise Unavailable(f"the server of the model {name} does not answer", code="model_unavailable")
