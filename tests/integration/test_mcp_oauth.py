"""An assistant that insists on OAuth finds the provider from the 401 of `/mcp`, read as its client reads it."""

import asyncio
from collections.abc import Callable

import httpx2
import pytest
from mcp.client.auth import utils

from kbcore.errors import ConfigurationError
from kbcore.settings import load_settings
from tests.integration.signing_in import Office

ADDRESS = "https://kb.example.com/mcp"
DOCUMENT = "/.well-known/oauth-protected-resource"
LISTING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


def test_the_refusal_leads_to_the_issuer(open_with: Callable[..., Office]) -> None:
    office = open_with(ZHIKU_MCP__PUBLIC_URL=ADDRESS)
    refused = office.client.post("/mcp", json=LISTING)
    assert refused.status_code == 401
    said = httpx2.Response(401, headers=dict(refused.headers))
    named = utils.extract_resource_metadata_from_www_auth(said)
    assert named == f"https://kb.example.com{DOCUMENT}/mcp"
    for url in utils.build_protected_resource_metadata_discovery_urls(named, ADDRESS):
        found = office.client.get(url.removeprefix("https://kb.example.com")).raise_for_status()
        assert found.json()["authorization_servers"] == [office.issuer.url], "to the letter"
        read = asyncio.run(utils.handle_protected_resource_response(httpx2.Response(200, content=found.content)))
        assert read is not None
        assert str(read.resource) == ADDRESS
    wrong = office.client.post("/mcp", json=LISTING, headers={"Authorization": "Bearer zk_wrong"})
    assert wrong.headers["WWW-Authenticate"] == refused.headers["WWW-Authenticate"]
    assert office.client.get("/v1/documents").headers["WWW-Authenticate"] == "Bearer", "no resource of its own"


def test_the_host_that_is_asked_for_decides_nothing(open_with: Callable[..., Office]) -> None:
    office = open_with(ZHIKU_MCP__PUBLIC_URL=ADDRESS)
    for path in (DOCUMENT, f"{DOCUMENT}/mcp"):
        assert "evil" not in office.client.get(path, headers={"Host": "evil.example", "X-Forwarded-Host": "evil"}).text


@pytest.mark.parametrize("more", [{}, {"ZHIKU_MCP__PUBLIC_URL": ADDRESS, "ZHIKU_MCP__ENABLED": "false"}])
def test_without_an_address_or_mcp_there_is_no_document(open_with: Callable[..., Office], more: dict[str, str]) -> None:
    office = open_with(**more)
    assert office.client.get(DOCUMENT).status_code == 404
    assert office.client.get(f"{DOCUMENT}/mcp").status_code == 404
    if not more:
        assert office.client.post("/mcp", json=LISTING).headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("address", ["kb.example.com/mcp", "https://kb.example.com", 'https://kb.example.com/mcp?"'])
def test_an_address_that_is_none_is_refused_at_the_start(address: str) -> None:
    with pytest.raises(ConfigurationError, match="public_url"):
        load_settings({"ZHIKU_MCP__PUBLIC_URL": address})
