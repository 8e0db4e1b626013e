"""The official MCP client, over real HTTP, for tests that are not asynchronous."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import httpx2
import mcp_types as types
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

T = TypeVar("T")

LEGACY, MODERN = "legacy", "2026-07-28"
"""With the handshake (every revision up to 2025-11-25), and without (the newest)."""


def visit(url: str, key: str, act: Callable[[Client], Awaitable[T]], *, mode: str = MODERN) -> T:
    """What `act` does with a connected client."""

    async def run() -> T:
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as http,
            Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
        ):
            return await act(client)

    return anyio.run(run)


def tools(url: str, key: str, *, mode: str = MODERN) -> dict[str, types.Tool]:
    """The tools that this key sees, by name."""
    return {tool.name: tool for tool in visit(url, key, lambda client: client.list_tools(), mode=mode).tools}


def call(url: str, key: str, tool: str, *, mode: str = MODERN, **arguments: Any) -> types.CallToolResult:
    """What the tool answers; the client checks it against the tool's output schema."""

    async def act(client: Client) -> types.CallToolResult:
        await client.list_tools()
        return await client.call_tool(tool, arguments)

    return visit(url, key, act, mode=mode)
