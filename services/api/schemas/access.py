"""Explanations and previews of access on the wire."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kbcore.metadata.access_preview import Change, Direction
from kbcore.permissions.explain import Explanation, Guards, Named, Rule
from kbcore.permissions.policy import Grant
from services.api.schemas.names import Level, RoleName, Text, level_of
from services.api.schemas.spaces import PolicyBody

_STRICT = ConfigDict(extra="forbid")
_ROLES: dict[str, RoleName] = {"reader": "reader", "editor": "editor", "manager": "manager"}

BECAUSE = {
    Rule.USER_INACTIVE: "The account is not active.",
    Rule.DOCUMENT_DELETED: "The document was deleted.",
    Rule.DENIED: "An entry denies access, and deny beats allow.",
    Rule.NOT_NAMED: "No entry that is in effect names this person.",
    Rule.CLEARANCE_TOO_LOW: "The document's classification is above this person's clearance.",
    Rule.GRANTED: "An entry grants a role, none denies it, and the clearance suffices.",
}
"""Each rule as a sentence."""


class EntryShown(BaseModel):
    """An entry that names the person."""

    effect: Literal["allow", "deny"]
    role: RoleName | None = Field(description="Of an allow entry.")
    source: Literal["document", "space"] = Field(description="Whose policy it stands in.")
    principal: str = Field(description="As stored: `everyone`, `user:ID`, `group:ID`.")
    name: str = Field(description="The same by name.")
    via: list[str] = Field(description="How the entry comes to mean the person: itself, group by group, by name.")
    effective_from: datetime | None
    effective_to: datetime | None
    in_effect: bool = Field(description="False: its time has not come, or is over.")

    @classmethod
    def of(cls, named: Named, names: dict[str, str]) -> Self:
        """From the rules; `names` has what people read for each principal."""
        entry = named.entry
        return cls(
            effect="allow" if isinstance(entry, Grant) else "deny",
            role=_ROLES[entry.role.value] if isinstance(entry, Grant) else None,
            source=named.source,
            principal=entry.principal,
            name=names[entry.principal],
            via=[names[principal] for principal in named.path],
            effective_from=entry.period.begins,
            effective_to=entry.period.ends,
            in_effect=named.in_effect,
        )


class ExplanationShown(BaseModel):
    """Whether somebody may read a document, and why."""

    user_id: str
    document_id: str
    space_id: str
    at: datetime
    readable: bool
    rule: Rule = Field(description="Which rule decided; the rules are asked in the order of this list.")
    because: str
    role: RoleName | None = Field(description="What the policy gives, whatever else is in the way.")
    policy: Literal["space", "document", "document_and_space"] = Field(description="Which policies count.")
    entries: list[EntryShown] = Field(description="Those that name the person: denials first, then the highest roles.")
    clearance: Level
    classification: Level

    @classmethod
    def of(
        cls, user_id: str, document_id: str, space_id: str, guards: Guards, found: Explanation, names: dict[str, str]
    ) -> Self:
        """From the rules."""
        own = guards.own
        return cls(
            user_id=user_id,
            document_id=document_id,
            space_id=space_id,
            at=guards.at,
            readable=found.readable,
            rule=found.rule,
            because=BECAUSE[found.rule],
            role=None if found.role is None else _ROLES[found.role.value],
            policy="space" if own is None else "document_and_space" if own.extends_space else "document",
            entries=[EntryShown.of(named, names) for named in found.named],
            clearance=level_of(guards.clearance),
            classification=level_of(guards.classification),
        )


class PreviewBody(BaseModel):
    """A policy that may be set, for a space or for a document."""

    model_config = _STRICT

    space: Text | None = Field(default=None, description="Id or name; or else `document`.")
    document: Text | None = Field(default=None, description="Id; or else `space`.")
    policy: PolicyBody | None = Field(description="null (only of a document): its space's policy again.")
    limit: int = Field(default=100, ge=1, le=1000, description="How many people to list in each direction.")

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if (self.space is None) == (self.document is None):
            raise ValueError("name either a space or a document")
        if self.space is not None and self.policy is None:
            raise ValueError("a space must have a policy; an empty one lets nobody in")
        return self


class AffectedShown(BaseModel):
    """Somebody whose documents change."""

    user_id: str
    user: str
    documents: int = Field(description="How many.")
    document_ids: list[str] = Field(description="The first 20 of them.")


class ChangeShown(BaseModel):
    """Everybody whose documents change in one direction."""

    people: int = Field(description="How many people.")
    items: list[AffectedShown] = Field(description="Those with the most documents, at most `limit`.")

    @classmethod
    def of(cls, change: Change) -> Self:
        """From SQL."""
        items = [
            AffectedShown(
                user_id=each.user_id, user=each.name, documents=each.documents, document_ids=list(each.document_ids)
            )
            for each in change.first
        ]
        return cls(people=change.people, items=items)


class PreviewShown(BaseModel):
    """What setting the policy would change for whom, with the people, groups and documents of now."""

    gains: ChangeShown
    loses: ChangeShown

    @classmethod
    def of(cls, found: dict[Direction, Change]) -> Self:
        """From SQL."""
        return cls(gains=ChangeShown.of(found["gains"]), loses=ChangeShown.of(found["loses"]))
