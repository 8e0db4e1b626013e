"""Users, groups and API keys on the wire."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from kbcore.domain.document import Classification
from kbcore.domain.principal import ApiKey, Group, Scope, User
from services.api.schemas.names import ExternalId, Level, Line, Moment, Name, Text

_STRICT = ConfigDict(extra="forbid")
_KNOWN_BY = "What a directory or an identity provider knows it by: tokens with it speak for it. Unique."


class NewUser(BaseModel):
    """A user to add."""

    model_config = _STRICT

    name: Name
    display_name: Line | None = Field(default=None, description="As shown to people; the name if left out.")
    email: Line | None = None
    clearance: Level = Field(default="internal", description="The highest classification that this user may read.")
    is_admin: bool = Field(default=False, description="May manage people, keys, spaces and policies.")
    is_auditor: bool = Field(default=False, description="May read the audit log, traces and who may read what.")
    kind: Literal["person", "service"] = Field(
        default="person", description="`service`: an account of an app, with keys and no password. It stays what it is."
    )
    external_id: ExternalId | None = Field(default=None, description=_KNOWN_BY)


class UserChange(BaseModel):
    """What to change about a user; absent fields stay."""

    model_config = _STRICT

    name: Name = ""
    display_name: Line = ""
    email: Line | None = None
    clearance: Level = "internal"
    is_admin: bool = False
    is_auditor: bool = False
    external_id: ExternalId | None = Field(default=None, description=_KNOWN_BY)
    active: bool = Field(default=True, description="False: every key and session of this user stops working at once.")
    throttled_until: None = Field(default=None, description="Null lifts what an anomaly rule has put on this user.")

    def columns(self) -> dict[str, object]:
        """The fields that were sent, as columns."""
        values = self.model_dump(exclude_unset=True)
        if "clearance" in values:
            values["clearance"] = int(Classification.of(self.clearance))
        return values


class UserShown(BaseModel):
    """A person or a service account."""

    id: str
    name: str
    display_name: str
    email: str | None
    clearance: Level
    is_admin: bool
    is_auditor: bool
    active: bool
    kind: Literal["person", "service"]
    external_id: str | None
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> Self:
        """From the domain."""
        return cls.model_validate({**_fields(user), "clearance": user.clearance.word})


class Me(UserShown):
    """The caller."""

    groups: list[str] = Field(
        description="Names of all groups that the caller is in, directly or through other groups."
    )
    scopes: list[Scope] | None = Field(description="What the key may be used for; null = all that its user may do.")
    acting: str | None = Field(description="Id of the service account that acts for this user; null = it is itself.")


class NewGroup(BaseModel):
    """A group to add."""

    model_config = _STRICT

    name: Name
    title: Line | None = Field(default=None, description="As shown to people; the name if left out.")
    external_id: ExternalId | None = Field(default=None, description=_KNOWN_BY)


class GroupChange(BaseModel):
    """What to change about a group; absent fields stay."""

    model_config = _STRICT

    name: Name = ""
    title: Line = ""
    external_id: ExternalId | None = Field(default=None, description=_KNOWN_BY)


class GroupShown(BaseModel):
    """A named set of users and of other groups."""

    id: str
    name: str
    title: str
    external_id: str | None
    created_at: datetime

    @classmethod
    def of(cls, group: Group) -> Self:
        """From the domain."""
        return cls.model_validate(_fields(group))


class NewMembers(BaseModel):
    """Who joins a group."""

    model_config = _STRICT

    members: list[Text] = Field(
        min_length=1,
        max_length=1000,
        description="`user:NAME-or-ID` or `group:NAME-or-ID`; members that are in already are fine.",
        examples=[["user:li.na", "group:hr-interns"]],
    )


class MemberShown(BaseModel):
    """A direct member of a group."""

    member: str = Field(description="`user:NAME` or `group:NAME`.")
    principal: str = Field(description="The same by id: `user:ID` or `group:ID`.")


class NewOwnKey(BaseModel):
    """A key to make for oneself."""

    model_config = _STRICT

    name: Line = Field(description="What it is for.")
    scopes: frozenset[Scope] | None = Field(
        default=None, description="What it may be used for; null = all that its user may do, now and later."
    )
    expires_at: Moment | None = Field(default=None, description="When it stops working; null = when revoked.")


class NewApiKey(NewOwnKey):
    """A key to make. It may do whatever its user may, within its scopes."""

    user: Text = Field(description="Whose key: name or id.")
    acts_for: bool = Field(
        default=False,
        description="May act for people, with their rights and no more (`Zhiku-On-Behalf-Of`): service accounts only.",
    )


class ApiKeyChange(BaseModel):
    """What to change about a key; absent fields stay. It can be made to do less or to end sooner, never more."""

    model_config = _STRICT

    name: Line = ""
    scopes: frozenset[Scope] | None = Field(default=None, description="Only some of those that it has.")
    expires_at: Moment | None = Field(default=None, description="Only sooner.")


class ApiKeyShown(BaseModel):
    """A key's public half."""

    id: str
    name: str
    user_id: str
    kind: Literal["key", "session"] = Field(description="`session`: made by logging in.")
    scopes: list[Scope] | None = Field(description="What it may be used for; null = all that its user may do.")
    acts_for: bool = Field(description="May act for people, with their rights.")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """From the domain."""
        return cls.model_validate({**_fields(key), "scopes": None if key.scopes is None else sorted(key.scopes)})


class ApiKeyIssued(ApiKeyShown):
    """A new key, with the secret that is shown only now."""

    key: str | None = Field(description="`zk_…`: shown this once; null when an idempotent request is repeated.")


def _fields(row: User | Group | ApiKey) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__slots__}
