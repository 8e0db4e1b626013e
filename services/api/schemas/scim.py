"""SCIM's documents (RFC 7643): people and groups, lists, errors, and what this server can do.

Made here rather than by a package: see docs/decisions/0021-oidc-scim-egress.md.
"""

from collections.abc import Collection, Iterable
from typing import Any

from pydantic import BaseModel, Field, RootModel

from kbcore.domain.principal import Group, User

SCIM_JSON = "application/scim+json"
_CORE = "urn:ietf:params:scim:schemas:core:2.0"
_MESSAGES = "urn:ietf:params:scim:api:messages:2.0"
USER, GROUP = f"{_CORE}:User", f"{_CORE}:Group"
MOST_RESULTS = 200


class Resource(RootModel[dict[str, Any]]):
    """A SCIM document."""


class ScimError(BaseModel):
    """RFC 7644, 3.12."""

    schemas: list[str] = Field(description=f"`{_MESSAGES}:Error`.")
    status: str = Field(description="The HTTP status, as a string.")
    scimType: str | None = Field(default=None, description="RFC 7644's word for the kind of error.")  # noqa: N815
    detail: str = Field(description="What happened, and what helps.")


class Selection:
    """Which attributes a client wants to see: `attributes` or `excludedAttributes`, names with commas between them."""

    def __init__(self, only: str | None, without: str | None) -> None:
        self._only = _names(only)
        self._without = _names(without) - {"id", "schemas"}

    def shows(self, name: str) -> bool:
        """True if the client wants this attribute."""
        lower = name.lower()
        if self._only:
            return lower in self._only or lower in ("id", "schemas")
        return lower not in self._without

    def of(self, resource: dict[str, Any]) -> dict[str, Any]:
        """The resource with what the client wants of it."""
        return {name: value for name, value in resource.items() if self.shows(name)}


def user_resource(user: User, base: str) -> dict[str, Any]:
    """A person. `base` is the address of this SCIM service."""
    resource: dict[str, Any] = {
        "schemas": [USER],
        "id": user.id,
        "externalId": user.external_id,
        "userName": user.name,
        "displayName": user.display_name,
        "name": {"formatted": user.display_name},
        "emails": [{"value": user.email, "type": "work", "primary": True}] if user.email else None,
        "active": user.active,
        "meta": _meta("User", user.id, base, user.created_at.isoformat()),
    }
    return {name: value for name, value in resource.items() if value is not None}


def group_resource(group: Group, members: Iterable[str] | None, base: str) -> dict[str, Any]:
    """A group; `members` None = not asked for."""
    resource: dict[str, Any] = {
        "schemas": [GROUP],
        "id": group.id,
        "externalId": group.external_id,
        "displayName": group.title,
        "members": None if members is None else [_member(member, base) for member in members],
        "meta": _meta("Group", group.id, base, group.created_at.isoformat()),
    }
    return {name: value for name, value in resource.items() if value is not None}


def list_response(total: int, start: int, resources: list[dict[str, Any]]) -> dict[str, Any]:
    """A page; `start` counts from 1."""
    return {
        "schemas": [f"{_MESSAGES}:ListResponse"],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }


def error_body(status: int, detail: str, scim_type: str | None) -> dict[str, Any]:
    """An error."""
    body = {"schemas": [f"{_MESSAGES}:Error"], "status": str(status), "detail": detail}
    return {**body, "scimType": scim_type} if scim_type else body


def service_provider_config(base: str) -> dict[str, Any]:
    """What this server can do."""
    no, yes = {"supported": False}, {"supported": True}
    return {
        "schemas": [f"{_CORE}:ServiceProviderConfig"],
        "patch": yes,
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MOST_RESULTS},
        "changePassword": no,
        "sort": no,
        "etag": no,
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "API key",
                "description": "Authorization: Bearer zk_…, the key of an administrator",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def resource_types(base: str) -> list[dict[str, Any]]:
    """The two kinds of things."""
    return [
        {
            "schemas": [f"{_CORE}:ResourceType"],
            "id": name,
            "name": name,
            "endpoint": f"/{name}s",
            "schema": schema,
            "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/{name}"},
        }
        for name, schema in (("User", USER), ("Group", GROUP))
    ]


def schemas(base: str) -> list[dict[str, Any]]:
    """The attributes of each; others are passed over when they are sent."""
    member = (_attribute("value", required=True), _attribute("type", mutability="immutable"))
    email = (_attribute("value"), _attribute("type"), _attribute("primary", "boolean"))
    attributes = {
        USER: (
            _attribute("userName", required=True, uniqueness="server"),
            _attribute("displayName"),
            _attribute("name", "complex", parts=(_attribute("formatted"),)),
            _attribute("emails", "complex", many=True, parts=email),
            _attribute("active", "boolean"),
        ),
        GROUP: (
            _attribute("displayName", required=True, uniqueness="server"),
            _attribute("members", "complex", many=True, parts=member),
        ),
    }
    return [
        {
            "schemas": [f"{_CORE}:Schema"],
            "id": schema,
            "name": schema.rpartition(":")[2],
            "attributes": list(found),
            "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{schema}"},
        }
        for schema, found in attributes.items()
    ]


def _attribute(
    name: str,
    kind: str = "string",
    *,
    many: bool = False,
    required: bool = False,
    mutability: str = "readWrite",
    uniqueness: str = "none",
    parts: Collection[dict[str, Any]] = (),
) -> dict[str, Any]:
    attribute = {
        "name": name,
        "type": kind,
        "multiValued": many,
        "required": required,
        "caseExact": False,
        "mutability": mutability,
        "returned": "default",
        "uniqueness": uniqueness,
    }
    return {**attribute, "subAttributes": list(parts)} if parts else attribute


def _member(principal: str, base: str) -> dict[str, str]:
    kind, _, principal_id = principal.partition(":")
    word = kind.capitalize()
    return {"value": principal_id, "type": word, "$ref": f"{base}/{word}s/{principal_id}"}


def _meta(kind: str, resource_id: str, base: str, created: str) -> dict[str, str]:
    return {"resourceType": kind, "created": created, "location": f"{base}/{kind}s/{resource_id}"}


def _names(text: str | None) -> set[str]:
    """Top-level names in lower case, without schemas and parts."""
    found = (name.strip().removeprefix(f"{USER}:").removeprefix(f"{GROUP}:") for name in (text or "").split(","))
    return {name.partition(".")[0].lower() for name in found if name}
