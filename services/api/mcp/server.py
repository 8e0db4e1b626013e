"""The Model Context Protocol's side: a server for one caller's one request, made by the official SDK."""

import json
from importlib.metadata import version

import mcp_types as types
import structlog
from fastapi.concurrency import run_in_threadpool
from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, ValidationError
from starlette.responses import Response
from starlette.types import Message, Receive, Send
from starlette.types import Scope as AsgiScope

from kbcore.domain.principal import Caller
from kbcore.errors import Forbidden, TooManyRequests, ZhikuError
from services.api.mcp.tools import TOOLS, Tool, Visit

_log = structlog.get_logger(__name__)

_INSTRUCTIONS = (
    "Zhiku holds an organisation's documents, in Chinese and English, with versions and permissions. Search first, "
    "then fetch what you need; or ask for a cited answer. You see what the owner of the key may read."
)
_BY_NAME = {tool.name: tool for tool in TOOLS}


class McpResponse(Response):
    """Answers a JSON-RPC message whose body was read already. Nothing outlives it: there are no sessions."""

    def __init__(self, visit: Visit, body: bytes) -> None:
        super().__init__()
        self._visit = visit
        self._message = body

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Let the SDK answer."""
        unread: list[Message] = [{"type": "http.request", "body": self._message, "more_body": False}]

        async def replay() -> Message:
            return unread.pop() if unread else await receive()

        # A manager of its own for each request: 0.1 ms, and no state that callers could share.
        manager = StreamableHTTPSessionManager(
            server_for(self._visit),
            stateless=True,
            json_response=True,
            max_request_body_size=len(self._message) + 1,  # `server.max_body_bytes` has been held already
        )
        async with manager.run():
            await manager.handle_request(scope, replay, send)


def server_for(visit: Visit) -> Server:
    """The protocol's server as this caller sees it."""

    async def list_tools(_: ServerRequestContext, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_described(tool) for tool in TOOLS if _may_use(visit.caller, tool)])

    async def call_tool(_: ServerRequestContext, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = _BY_NAME.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, "There is no such tool; tools/list names them.")
        return await run_in_threadpool(_call, visit, tool, params.arguments or {})

    return Server(
        "zhiku",
        title="Zhiku 知库",
        version=version("zhiku"),
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _call(visit: Visit, tool: Tool, arguments: dict[str, object]) -> types.CallToolResult:
    try:
        tool.require(visit.caller)
        return _succeeded(tool.run(visit, tool.arguments.model_validate(arguments)))
    except ValidationError as error:
        return _failed(visit, "validation_failed", _what_is_wrong(error))
    except ZhikuError as error:
        visit.seen.refused(error.status, error.code)
        if error.status >= 500:
            _log.warning("tool failed", tool=tool.name, code=error.code, detail=error.detail)
        more = {"retry_after": error.retry_after} if isinstance(error, TooManyRequests) else {}
        return _failed(visit, error.code, error.detail, **more)
    except Exception as error:  # noqa: BLE001 - the outermost edge: the SDK would tell the client what it says
        _log.exception("unhandled error", tool=tool.name, kind=type(error).__name__)
        return _failed(visit, "internal_error", "Something went wrong here; the trace id finds it in the logs.")


def _may_use(caller: Caller, tool: Tool) -> bool:
    try:
        tool.require(caller)
    except Forbidden:
        return False
    return True


def _succeeded(result: BaseModel) -> types.CallToolResult:
    """Connectors read the one text, which is the structured content as JSON."""
    content = types.TextContent(type="text", text=result.model_dump_json())
    return types.CallToolResult(content=[content], structured_content=result.model_dump(mode="json"))


def _failed(visit: Visit, code: str, detail: str, **more: int) -> types.CallToolResult:
    said = json.dumps({"code": code, "detail": detail, "trace_id": visit.trace_id, **more}, ensure_ascii=False)
    return types.CallToolResult(content=[types.TextContent(type="text", text=said)], is_error=True)


def _what_is_wrong(error: ValidationError) -> str:
    """The first fields that are wrong, without the values sent."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg'].removeprefix('Value error, ')}"
        for item in found[:3]
    )


def _described(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        annotations=types.ToolAnnotations(
            title=tool.title, read_only_hint=True, destructive_hint=False, open_world_hint=False
        ),
    )
