"""The table of rights is complete by construction: an application that it does not fit is not built."""

import pytest
from fastapi import APIRouter, FastAPI

from services.api.app import create_app
from services.api.dependencies import CallerDep, authenticated
from services.api.rights import RIGHTS, Who, require_complete
from tests.api_server import api_settings


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return create_app(api_settings(tmp_path_factory.mktemp("home"), "postgresql://nobody@127.0.0.1:1/x", "redis://x"))


def test_a_route_without_a_row_is_named(app: FastAPI) -> None:
    router = APIRouter()

    @router.get("/v1/new/{thing}")
    def read(thing: str, _caller: CallerDep) -> str:
        return thing

    app.include_router(router)
    with pytest.raises(LookupError, match=r"GET /v1/new/\{thing\} has no row"):
        require_complete(app.routes, authenticated)


def test_a_row_without_a_route_is_named(app: FastAPI) -> None:
    routes = [route for route in app.routes if getattr(route, "path", "") != "/openapi.json"]
    with pytest.raises(LookupError, match=r"GET /openapi\.json, which is no route"):
        require_complete(routes, authenticated)


def test_a_route_that_lets_anybody_in_is_named(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    router = APIRouter()

    @router.get("/v1/open")
    def read() -> str:
        return ""

    app.include_router(router)
    monkeypatch.setitem(RIGHTS, "GET /v1/open", RIGHTS["GET /v1/users"])  # type: ignore[arg-type]
    with pytest.raises(LookupError, match="GET /v1/open is trusted, but does not ask for a key"):
        require_complete(app.routes, authenticated)


def test_what_is_public_is_little() -> None:
    public = {route for route, right in RIGHTS.items() if right.who is Who.PUBLIC}
    assert public == {
        "POST /v1/login",
        "GET /.well-known/oauth-protected-resource",
        "GET /.well-known/oauth-protected-resource/mcp",
        "GET /healthz",
        "GET /readyz",
        "GET /openapi.json",
        "GET /",
        "GET /assets/{name}",
    }
