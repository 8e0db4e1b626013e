"""Spaces and policies on the wire."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kbcore.metadata.spaces import SpaceAccess
from kbcore.permissions.policy import ALWAYS, Period, Role
from services.api.schemas.names import Line, Moment, Name, RoleName, Text
from services.library.share import NamedEntry, NamedPolicy

_STRICT = ConfigDict(extra="forbid")
_MOST = 36_500


def _is_none(value: object) -> bool:
    return value is None


class PeriodBody(BaseModel):
    """When an entry counts; without dates always."""

    model_config = _STRICT

    effective_from: Moment | None = Field(
        default=None, exclude_if=_is_none, description="Counts from then on; left out = at once."
    )
    effective_to: Moment | None = Field(
        default=None, exclude_if=_is_none, description="Ends then by itself; left out = never."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.effective_from and self.effective_to and self.effective_from >= self.effective_to:
            raise ValueError("effective_from must be before effective_to")
        return self

    @property
    def period(self) -> Period:
        """As the rules take it."""
        return Period(self.effective_from, self.effective_to)


class GrantBody(PeriodBody):
    """One allow entry."""

    principal: Text = Field(description="`everyone`, `user:NAME-or-ID` or `group:NAME-or-ID`.", examples=["group:hr"])
    role: RoleName


class DenialBody(PeriodBody):
    """One deny entry with dates."""

    principal: Text = Field(description="`everyone`, `user:NAME-or-ID` or `group:NAME-or-ID`.")


class PolicyBody(BaseModel):
    """Who may do what. Deny beats allow; whoever is not named has no access; an empty policy lets nobody in."""

    model_config = _STRICT

    allow: list[GrantBody] = Field(default=[], max_length=1000)
    deny: list[Text | DenialBody] = Field(
        default=[],
        max_length=1000,
        description="Principals that have no access at all; as an object with dates, only then.",
    )
    extends_space: bool = Field(
        default=False,
        description="Of a document's own policy: true = the entries of its space's policy count, too.",
    )

    def named(self) -> NamedPolicy:
        """As the use cases take it."""
        allowed = [NamedEntry(grant.principal, Role(grant.role), grant.period) for grant in self.allow]
        denied = [
            NamedEntry(entry, None) if isinstance(entry, str) else NamedEntry(entry.principal, None, entry.period)
            for entry in self.deny
        ]
        return NamedPolicy([*allowed, *denied], self.extends_space)


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
            allow=[
                GrantBody(principal=entry.principal, role=entry.role.value, **_dates(entry.period))
                for entry in policy.entries
                if entry.role is not None
            ],
            deny=[
                entry.principal
                if entry.period == ALWAYS
                else DenialBody(principal=entry.principal, **_dates(entry.period))
                for entry in policy.entries
                if entry.role is None
            ],
            extends_space=policy.extends_space,
            inherited=inherited,
            job_id=job_id,
        )


def _dates(period: Period) -> dict[str, datetime | None]:
    return {"effective_from": period.begins, "effective_to": period.ends}


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
