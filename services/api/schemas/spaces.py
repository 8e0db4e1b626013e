"""Spaces and policies on the wire."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from kbcore.metadata.spaces import SpaceAccess
from kbcore.permissions.policy import Role
from services.api.schemas.names import Line, Name, RoleName, Text
from services.library.share import NamedPolicy

_STRICT = ConfigDict(extra="forbid")
_MOST = 36_500


class GrantBody(BaseModel):
    """One allow entry."""

    model_config = _STRICT

    principal: Text = Field(description="`everyone`, `user:NAME-or-ID` or `group:NAME-or-ID`.", examples=["group:hr"])
    role: RoleName


class PolicyBody(BaseModel):
    """Who may do what. Deny beats allow; whoever is not named has no access; an empty policy lets nobody in."""

    model_config = _STRICT

    allow: list[GrantBody] = Field(default=[], max_length=1000)
    deny: list[Text] = Field(default=[], max_length=1000, description="Principals that have no access at all.")

    def named(self) -> NamedPolicy:
        """As the use cases take it."""
        return NamedPolicy([(grant.principal, Role(grant.role)) for grant in self.allow], self.deny)


class PolicyShown(PolicyBody):
    """A policy in force; principals by name."""

    inherited: bool = Field(default=False, description="A document's: true while it has its space's policy.")
    job_id: str | None = Field(
        default=None, description="After a change of a document's policy: the job that re-stamps its index rows."
    )

    @classmethod
    def of(cls, policy: NamedPolicy, *, inherited: bool = False, job_id: str | None = None) -> Self:
        """From the use cases."""
        return cls(
            allow=[GrantBody(principal=principal, role=role.value) for principal, role in policy.allow],
            deny=list(policy.deny),
            inherited=inherited,
            job_id=job_id,
        )


class NewSpace(BaseModel):
    """A space to add; its creator becomes its manager."""

    model_config = _STRICT

    name: Name
    title: Line | None = Field(default=None, description="As shown to people; the name if left out.")


class SpaceChange(BaseModel):
    """What to change about a space; absent fields stay."""

    model_config = _STRICT

    name: Name = ""
    title: Line = ""
    retention_days: int | None = Field(
        default=None,
        ge=1,
        le=_MOST,
        description="Purge replaced and deleted versions after so many days; null = never.",
    )
    retention_versions: int | None = Field(
        default=None, ge=1, le=_MOST, description="Of each document, purge all but the newest so many; null = none."
    )


class SpaceShown(BaseModel):
    """A folder of documents with one access policy."""

    id: str
    name: str
    title: str
    role: RoleName | None = Field(description="Your role here; null for an administrator who has none.")
    retention_days: int | None = Field(
        description="Replaced and deleted versions are purged so many days after they ended; null = never."
    )
    retention_versions: int | None = Field(
        description="Of each document, published versions older than the newest so many are purged; null = none."
    )
    created_at: datetime

    @classmethod
    def of(cls, access: SpaceAccess) -> Self:
        """From the domain."""
        space = access.space
        return cls(
            id=space.id,
            name=space.name,
            title=space.title,
            role=access.role.value if access.role else None,
            retention_days=space.retention_days,
            retention_versions=space.retention_versions,
            created_at=space.created_at,
        )
