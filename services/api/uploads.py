"""Reading uploaded files from requests: to disk as they arrive, and only after the caller is known."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import FormData, UploadFile

from kbcore.bootstrap import Platform
from kbcore.errors import TooLarge, Unavailable, Unprocessable, UnsupportedMediaType
from services.library.file_names import safe_file_name
from services.library.upload import StoredFile

_PART_BYTES = 1_048_576
_MAX_FIELD_BYTES = 65_536
_MAX_FIELDS = 200
_IN_MEMORY_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file as it was sent, on disk if it is larger than 1 MiB; `name` is a safe one, None if none was sent."""

    name: str | None
    content: IO[bytes]
    size: int


@dataclass(frozen=True, slots=True)
class ReceivedForm:
    """A multipart form with one file. `fields` holds every other field's values, in order."""

    file: ReceivedFile
    fields: dict[str, list[str]]


@asynccontextmanager
async def received_form(request: Request) -> AsyncIterator[ReceivedForm]:
    """Read a multipart form with one `file` part. Raises `UnsupportedMediaType`, `RequestValidationError`."""
    if not _is_multipart(request):
        raise UnsupportedMediaType("Send multipart/form-data with the file in the part named file.")
    async with request.form(max_files=1, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES) as form:
        yield ReceivedForm(_file_of(form), _fields_of(form))


@asynccontextmanager
async def received_file(request: Request) -> AsyncIterator[ReceivedForm]:
    """Read a file that is either the part named `file` of a multipart form or the whole body, without fields."""
    if _is_multipart(request):
        async with received_form(request) as form:
            yield form
        return
    with SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as content:
        size = 0
        async for part in request.stream():
            size += len(part)
            await run_in_threadpool(content.write, part)
        content.seek(0)
        yield ReceivedForm(ReceivedFile(None, content, size), {})


def store(platform: Platform, file: ReceivedFile, name: str) -> StoredFile:
    """Put a file into the blob store. Raises `Unprocessable` (`empty_file`), `TooLarge`."""
    limit = platform.settings.server.max_upload_bytes
    if file.size == 0:
        raise Unprocessable("The file is empty (0 bytes); nothing was stored.", code="empty_file")
    if file.size > limit:
        raise TooLarge(f"The file has {file.size:,} bytes; the limit is {limit:,}.")
    return StoredFile(name, platform.blobs.put(_parts(file.content), max_bytes=limit))


def require_stored(platform: Platform, file: StoredFile) -> None:
    """Raises `Unavailable` if the bytes were removed since; call it when a version refers to them, before the commit.

    They can be removed while nothing refers to them: with a document that had the same ones and is erased now.
    """
    if not platform.blobs.exists(file.blob.sha256):
        raise Unavailable("The stored bytes were removed with another document this moment; send the file again.")


def request_hash(request: Request, file: StoredFile, fields: object) -> bytes:
    """What makes two uploads the same request: address, fields, name and bytes; not the multipart boundary."""
    identity = [request.method, request.url.path, fields, file.name, file.blob.sha256]
    return hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).digest()


def invalid_field(name: str, message: str) -> RequestValidationError:
    """A validation error of one form field."""
    return RequestValidationError([{"type": "value_error", "loc": ("body", name), "msg": message}])


def _is_multipart(request: Request) -> bool:
    media_type: str = request.headers.get("content-type", "").partition(";")[0]
    return media_type.strip().lower() == "multipart/form-data"


def _file_of(form: FormData) -> ReceivedFile:
    parts = form.getlist("file")
    if len(parts) != 1:
        raise invalid_field("file", "Field required" if not parts else "Send one file in each request")
    part = parts[0]
    if not isinstance(part, UploadFile):
        raise invalid_field("file", "Send it as a file, with a file name")
    return ReceivedFile(safe_file_name(part.filename or ""), part.file, part.size or 0)


def _fields_of(form: FormData) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            fields.setdefault(name, []).append(value)
        elif name != "file":
            raise invalid_field(name, "Unexpected file")
    return fields


def _parts(content: IO[Any]) -> Iterator[bytes]:
    content.seek(0)
    while part := content.read(_PART_BYTES):
        yield part
