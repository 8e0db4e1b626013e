"""Without SQL nobody's rights can be decided: every route that needs a caller answers 503 and shows nothing."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kbcore.domain.ids import new_id
from kbcore.settings import load_settings
from services.api.app import create_app
from services.api.rights import RIGHTS, Who
from tests.api_server import serving
from tests.security.test_routes_roles import ROWS

PUBLIC = {route for route, right in RIGHTS.items() if right.who is Who.PUBLIC}
KEY = f"zk_{new_id().replace('-', '')}_{'a' * 43}"


@pytest.fixture(scope="module")
def without_sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of an API whose database has gone away."""
    with socket.socket() as closed:  # bound and not listening: every connection is refused
        closed.bind(("127.0.0.1", 0))
        home: Path = tmp_path_factory.mktemp("home")
        url = f"postgresql://nobody@127.0.0.1:{closed.getsockname()[1]}/zhiku"
        app = create_app(load_settings({"ZHIKU_HOME": str(home), "ZHIKU_DATABASE__URL": url}))
        with serving(app) as address, httpx.Client(base_url=address, timeout=60) as client:
            yield client


@pytest.mark.parametrize("route", [row.route for row in ROWS if row.route not in PUBLIC])
def test_no_route_shows_anything_without_sql(without_sql: httpx.Client, route: str) -> None:
    method, template = route.split()
    path = re.sub(r"\{[^}]*\}", new_id(), template)
    # A body that is not read may cost its sender the answer: only where one belongs.
    body_sent = None if method in ("GET", "DELETE") else {}
    answer = without_sql.request(method, path, headers={"Authorization": f"Bearer {KEY}"}, json=body_sent)
    assert answer.status_code == 503, answer.text
    body = answer.json()
    assert "acl_unavailable" in answer.text or body.get("error_code") == 503 or body.get("status") == "503"
    assert answer.headers["Retry-After"]
    assert answer.headers["Cache-Control"] == "no-store"
