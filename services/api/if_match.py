"""`If-Match` on documents: the number of the latest version that the client knows."""

import re
from typing import Annotated

from fastapi import Depends, Header

from kbcore.errors import RequestError

_TAG = re.compile(r'(?:W/)?"?(?P<version>[0-9]{1,9})"?', re.ASCII)


def _if_match(
    if_match: Annotated[
        str | None,
        Header(max_length=40, description="The latest version you know, as in `ETag`; 412 if there is a newer one."),
    ] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    match = _TAG.fullmatch(if_match.strip())
    if match is None:
        raise RequestError('If-Match takes the number of a version, like "3".', code="invalid_if_match")
    return int(match["version"])


IfMatchDep = Annotated[int | None, Depends(_if_match)]


def etag(version: int) -> str:
    """The `ETag` of a document whose latest version this is."""
    return f'"{version}"'
