"""The sample company's spaces, groups, people, keys and policies: made once, found again on later runs."""

from collections.abc import Mapping
from typing import Any

from services.cli.client import ApiError, Client
from services.demo.manifest import Manifest, SamplePerson

KEY_NAME = "sample company"
CONFLICT = 409


def make_company(admin: Client, company: Manifest) -> None:
    """Groups, people and their memberships, spaces and who may read them."""
    for group in company.groups:
        _unless_there(admin, "/v1/groups", {"name": group.name, "title": group.title})
    for person in company.people:
        _unless_there(
            admin,
            "/v1/users",
            {"name": person.name, "display_name": person.display_name, "clearance": person.clearance},
        )
        for name in person.groups:
            admin.call("POST", f"/v1/groups/{name}/members", body={"members": [f"user:{person.name}"]})
    me = admin.call("GET", "/v1/users/me")["name"]
    for space in company.spaces:
        if not _unless_there(admin, "/v1/spaces", {"name": space.name, "title": space.title}):
            continue  # an administrator may have changed who reads it: that stands
        readers = [{"principal": f"group:{name}", "role": "reader"} for name in space.readers]
        # Administrators have no right to read by themselves; this one is granted it, for the show.
        allow = [*readers, {"principal": f"user:{me}", "role": "manager"}]
        admin.call("PUT", f"/v1/spaces/{space.name}/policy", body={"allow": allow, "deny": []})


def keys_of(admin: Client, company: Manifest, stored: Mapping[str, str]) -> dict[str, str]:
    """A working key for every sample person: the stored one, or a new one in its place."""
    return {person.name: _key_of(admin, person, stored.get(person.name)) for person in company.people}


def _key_of(admin: Client, person: SamplePerson, stored: str | None) -> str:
    if stored and _belongs_to(admin.url, stored, person.name):
        return stored
    for key in admin.items("/v1/api-keys", {"user": person.name}):
        if key["name"] == KEY_NAME and key["revoked_at"] is None:
            admin.call("DELETE", f"/v1/api-keys/{key['id']}")  # it was lost: nobody has it any more
    return str(admin.call("POST", "/v1/api-keys", body={"user": person.name, "name": KEY_NAME})["key"])


def _belongs_to(url: str, key: str, name: str) -> bool:
    with Client(url, key) as client:
        try:
            return bool(client.call("GET", "/v1/users/me")["name"] == name)
        except ApiError:
            return False


def _unless_there(admin: Client, path: str, body: Mapping[str, Any]) -> bool:
    """Create something; True if it was not there yet."""
    try:
        admin.call("POST", path, body=body)
    except ApiError as refusal:
        if refusal.status != CONFLICT:
            raise
        return False
    return True
