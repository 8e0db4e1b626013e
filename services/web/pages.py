"""The page at `/`: static files, no template, nothing from anywhere else."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from kbcore.errors import NotFound

STATIC = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # asked for again each time, answered 304 while unchanged
}

router = APIRouter(include_in_schema=False)


@router.get("/")
def page(request: Request) -> Response:
    """The page itself; it asks for an API key before it shows anything."""
    return _file(request, "index.html")


@router.get("/assets/{name}")
def asset(request: Request, name: str) -> Response:
    """A style sheet, a script or the icon of the page."""
    return _file(request, name)


def _file(request: Request, name: str) -> Response:
    found = _files().get(name)
    if found is None:
        raise NotFound("page")
    content, media_type, etag = found
    headers = {**HEADERS, "ETag": etag}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


@cache
def _files() -> dict[str, tuple[bytes, str, str]]:
    """Name → content, media type, ETag, of every file in `static`; a request's name is never made into a path."""
    files = {}
    for path in STATIC.iterdir():
        content = path.read_bytes()
        files[path.name] = (content, MEDIA_TYPES[path.suffix], f'"{sha256(content).hexdigest()[:32]}"')
    return files
