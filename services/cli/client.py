"""A thin client of Zhiku's HTTP API: one method per call that the command line makes, errors in plain words."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx

from kbcore.egress.addresses import LOOPBACK
from kbcore.errors import ZhikuError
from services.cli.responses import Answer, Comparison, Document, HistoryVersion, Job, SearchResult, Upload

ASK_TIMEOUT_S = 180.0
UPLOAD_TIMEOUT_S = 300.0
ERASE_TIMEOUT_S = 90.0


class ServerNotRunningError(ZhikuError):
    """Nothing answers at the address."""

    code = "server_not_running"


class ApiError(ZhikuError):
    """The server said no. `status` is the HTTP status, `code` and `detail` come from its problem document."""

    def __init__(self, status: int, code: str, detail: str, trace_id: str | None = None) -> None:
        super().__init__(detail if trace_id is None else f"{detail} (trace {trace_id})", code=code)
        self.status = status


class Client:
    """A connection to one server as one person. Close it, or use it as a context manager."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        try:
            self._http = httpx.Client(
                base_url=self.url,
                headers={"Authorization": f"Bearer {key}"},
                timeout=30.0,
                trust_env=urlsplit(self.url).hostname not in LOOPBACK,
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise ServerNotRunningError(f"{self.url} is no address: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: object | None = None,
        query: Mapping[str, str | int] | None = None,
        timeout_s: float = 30.0,
    ) -> Any:
        """One request; the decoded JSON answer (None for 204). Raises `ApiError`, `ServerNotRunningError`."""
        request = self._http.build_request(method, path, json=body, params=query, timeout=timeout_s)
        return self._send(request)

    def search(
        self, query: str, *, top_k: int, mode: str, spaces: list[str] | None, moment: Mapping[str, str] | None = None
    ) -> SearchResult:
        """`POST /v1/search`; `moment` holds `as_of` and `effective_at`, where they are given."""
        body = {"query": query, "top_k": top_k, "mode": mode, "spaces": spaces, **(moment or {})}
        return SearchResult.model_validate(self.call("POST", "/v1/search", body=body))

    def ask(
        self,
        question: str,
        *,
        spaces: list[str] | None = None,
        conversation_id: str | None = None,
        moment: Mapping[str, str] | None = None,
    ) -> Answer:
        """`POST /v1/ask`, the whole answer at once; `moment` as in `search`."""
        body: dict[str, object] = {"question": question, **(moment or {})}
        if spaces:
            body["spaces"] = spaces
        if conversation_id:
            body["conversation_id"] = conversation_id
        return Answer.model_validate(self.call("POST", "/v1/ask", body=body, timeout_s=ASK_TIMEOUT_S))

    def upload(self, file: Path, *, space: str, fields: Mapping[str, str]) -> Upload:
        """`POST /v1/documents`; `fields` are the optional form fields (`external_id`, `title`, `classification`, …)."""
        with file.open("rb") as content:
            request = self._http.build_request(
                "POST",
                "/v1/documents",
                data={"space": space, **fields},
                files={"file": (file.name, content)},
                timeout=UPLOAD_TIMEOUT_S,
            )
            return Upload.model_validate(self._send(request))

    def erase(self, document_id: str, reason: str) -> dict[str, Any]:
        """`POST /v1/documents/{id}/erase`; the certificate, however long that takes. Raises `ApiError`."""
        path = f"/v1/documents/{quote(document_id, safe='')}/erase"
        answer = self.call("POST", path, body={"reason": reason}, timeout_s=ERASE_TIMEOUT_S)
        if "signature" not in answer:
            self._wait_for(answer["job_id"])
            answer = self.call("GET", f"/v1/erasures/{answer['erasure_id']}")["certificate"]
        return dict(answer)

    def job(self, job_id: str) -> Job:
        """`GET /v1/jobs/{id}`."""
        return Job.model_validate(self.call("GET", f"/v1/jobs/{job_id}"))

    def jobs(self, *, state: str | None = None, limit: int = 20) -> list[Job]:
        """`GET /v1/jobs`: the newest ones."""
        query: dict[str, str | int] = {"limit": limit}
        if state:
            query["state"] = state
        return [Job.model_validate(item) for item in self.call("GET", "/v1/jobs", query=query)["items"]]

    def documents(self, space: str) -> Iterator[Document]:
        """Every document of a space that this person may read."""
        for item in self.items("/v1/documents", {"space": space}):
            yield Document.model_validate(item)

    def document_id(self, name: str, space: str | None) -> str:
        """The id of a document that is named by it, or by its external id in a space. Raises `ApiError`."""
        if space is None:
            return name
        found = self.call("GET", "/v1/documents", query={"space": space, "external_id": name})["items"]
        if not found:
            raise ApiError(404, "document_not_found", f"no document {name!r} in the space {space}")
        return str(found[0]["id"])

    def history(self, document_id: str) -> list[HistoryVersion]:
        """`GET /v1/documents/{id}/versions`: newest first."""
        items = self.call("GET", f"/v1/documents/{document_id}/versions")["items"]
        return [HistoryVersion.model_validate(item) for item in items]

    def diff(self, document_id: str, before: int, after: int) -> Comparison:
        """`GET /v1/documents/{id}/versions/{a}/diff/{b}`."""
        return Comparison.model_validate(
            self.call("GET", f"/v1/documents/{document_id}/versions/{before}/diff/{after}")
        )

    def roll_back(self, document_id: str, to: int, comment: str | None) -> Upload:
        """`POST /v1/documents/{id}/rollback`."""
        body = {"to": to} | ({"comment": comment} if comment else {})
        return Upload.model_validate(self.call("POST", f"/v1/documents/{document_id}/rollback", body=body))

    def items(self, path: str, query: Mapping[str, str | int] | None = None) -> Iterator[dict[str, Any]]:
        """All items of a list, page after page."""
        cursor: str | None = None
        while True:
            page = self.call(
                "GET", path, query={**(query or {}), "limit": 100, **({"cursor": cursor} if cursor else {})}
            )
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _wait_for(self, job_id: str) -> None:
        while not (job := self.job(job_id)).ended:
            time.sleep(1.0)
        if job.error is not None:
            raise ApiError(200, job.error.code, job.error.detail)

    def _send(self, request: httpx.Request) -> Any:
        try:
            response = self._http.send(request)
        except httpx.ConnectError:
            raise ServerNotRunningError(
                f"nothing answers at {self.url}: start Zhiku with `zhiku up` (or `make run`), or set ZHIKU_URL"
            ) from None
        except httpx.TimeoutException:
            raise ServerNotRunningError(f"{self.url} did not answer in time: look at `zhiku status`") from None
        except httpx.TransportError as error:
            raise ServerNotRunningError(f"the connection to {self.url} broke: {error}") from None
        if response.is_success:
            return response.json() if response.content else None
        raise _refusal(response)


def _refusal(response: httpx.Response) -> ApiError:
    try:
        problem = response.json()
    except json.JSONDecodeError:
        problem = None
    if not isinstance(problem, dict) or "detail" not in problem:
        return ApiError(response.status_code, "unexpected_answer", f"the server answered {response.status_code}")
    detail = str(problem["detail"])
    if response.status_code == httpx.codes.UNAUTHORIZED:
        detail = "the API key was not accepted: set ZHIKU_KEY, or choose a sample person with --as"
    trace = problem.get("trace_id") if response.is_server_error else None
    return ApiError(response.status_code, str(problem.get("code", "error")), detail, trace)
