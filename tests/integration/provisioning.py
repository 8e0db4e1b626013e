"""A directory that talks SCIM to the API."""

from dataclasses import dataclass
from typing import Any

import httpx
import sqlalchemy as sa

from kbcore.metadata.tables import audit_events, group_members
from tests.api_server import Api

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@dataclass
class Directory:
    """A client with an administrator's key, which sends SCIM's media type."""

    api: Api

    def call(self, method: str, path: str, body: object = None, **query: str) -> httpx.Response:
        """A request under `/scim/v2`."""
        headers = {"Content-Type": "application/scim+json; charset=utf-8"}
        answer = self.api.admin.request(method, f"/scim/v2{path}", json=body, params=query, headers=headers)
        if answer.content:
            assert answer.headers["content-type"].startswith("application/scim+json")
        return answer

    def patch(self, path: str, *operations: dict[str, Any]) -> httpx.Response:
        """A PATCH with these operations."""
        return self.call("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)})

    def user(self, name: str, **more: Any) -> str:
        """A new person; returns the id."""
        answer = self.call("POST", "/Users", {"schemas": [USER], "userName": name, **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def group(self, name: str, *members: str, **more: Any) -> str:
        """A new group; returns the id."""
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": each} for each in members], **more}
        answer = self.call("POST", "/Groups", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def found(self, kind: str, sought: str, **query: str) -> list[str]:
        """The ids that a filter finds."""
        answer = self.call("GET", f"/{kind}", filter=sought, **query)
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json()["Resources"]]

    def members(self, group_id: str) -> list[str]:
        """The ids of a group's members."""
        return [each["value"] for each in self.call("GET", f"/Groups/{group_id}").json()["members"]]

    def sources(self, group_id: str) -> dict[str, str]:
        """Who has put each member in."""
        query = sa.select(group_members.c.member, group_members.c.source).where(group_members.c.group_id == group_id)
        with self.api.database.begin() as connection:
            return {row.member.partition(":")[2]: row.source for row in connection.execute(query)}

    def audited(self, kind: str) -> list[dict[str, Any]]:
        """The details of all records of this kind."""
        query = sa.select(audit_events.c.detail).where(audit_events.c.kind == kind).order_by(audit_events.c.seq)
        with self.api.database.begin() as connection:
            return list(connection.execute(query).scalars())


def refused(answer: httpx.Response, status: int, scim_type: str | None = None) -> str:
    """Check that this is an error in SCIM's shape; returns its detail."""
    body = answer.json()
    assert (answer.status_code, body["schemas"], body["status"]) == (status, [ERROR], str(status)), answer.text
    assert body.get("scimType") == scim_type, answer.text
    return str(body["detail"])
