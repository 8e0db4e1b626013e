"""The company in Zhiku: users, nested groups, spaces, policies, and its papers chunked, embedded, staged, published."""

from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.document import Classification
from kbcore.metadata import documents, groups, policies, users
from kbcore.permissions.policy import Denial, Grant, Policy, Role
from services.auth.api_keys import issue_key
from tests.builders import Corpus
from tests.security.enterprise.organisation import Organisation, Paper
from tests.security.enterprise.rule import classification, clearance

_SPACES = {
    "policy": ("everyone",),
    "post": ("everyone",),
    "ticket": ("dept-information-technology",),
    "order": ("dept-sales", "dept-finance"),
    "client": ("dept-sales", "dept-finance", "dept-business-development"),
    "vendor": ("dept-sales", "dept-finance", "dept-business-development"),
    "record": ("dept-hr",),
    "resume": ("dept-hr",),
}
"""Who reads each space: groups."""

_SPACE_POLICY = sa.text("SELECT policy_id FROM spaces WHERE id = :space")


@dataclass
class Company:
    """What has been put into Zhiku. `documents`: id → paper."""

    organisation: Organisation
    corpus: Corpus
    users: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    documents: dict[str, Paper] = field(default_factory=dict)

    def key(self, person: str) -> str:
        """A new API key of this employee."""
        with self.corpus.platform.database.begin() as connection:
            return issue_key(connection, user_id=self.users[person], name="trial").token


def install(organisation: Organisation, corpus: Corpus) -> Company:
    """All people and all papers; everything is published at the end, at once."""
    company = Company(organisation, corpus)
    with corpus.platform.database.begin() as connection:
        _people(company, connection)
        _groups(company, connection)
    for kind, readers in _SPACES.items():
        corpus.space(kind, *readers)
    for departments in sorted({paper.departments for paper in organisation.papers if paper.kind == "chat"}):
        corpus.space(_chat_space(departments), *(f"dept-{_slug(name)}" for name in departments))
    for paper in organisation.papers:
        _add(company, paper)
    corpus.publish()
    return company


def _people(company: Company, connection: Connection) -> None:
    for employee in company.organisation.staff.values():
        company.users[employee.id] = users.create_user(
            connection,
            name=employee.id,
            display_name=employee.id,
            email=None,
            clearance=Classification(clearance(employee)),
            is_admin=False,
        ).id


def _groups(company: Company, connection: Connection) -> None:
    """Department → its levels → people; the team of a manager → the teams below it, all the way down."""
    staff = company.organisation.staff.values()
    members: dict[str, list[str]] = {}
    for employee in staff:
        level = f"level-{employee.level.lower()}-{_slug(employee.department)}"
        members.setdefault(level, []).append(f"user:{company.users[employee.id]}")
        department = members.setdefault(f"dept-{_slug(employee.department)}", [])
        if f"group:{level}" not in department:
            department.append(f"group:{level}")
        if employee.reports:
            team = members.setdefault(f"team-{_slug(employee.id)}", [])
            team += [f"user:{company.users[each]}" for each in employee.reports]
            team += [
                f"group:team-{_slug(each)}" for each in employee.reports if company.organisation.staff[each].reports
            ]
    for name in members:
        company.groups[name] = groups.create_group(connection, name=name, title=name).id
    for name, inside in members.items():
        ids = [f"group:{company.groups[m[6:]]}" if m.startswith("group:") else m for m in inside]
        groups.add_members(connection, company.groups[name], ids)
    company.corpus.groups.update(company.groups)


def _add(company: Company, paper: Paper) -> None:
    space = _chat_space(paper.departments) if paper.kind == "chat" else paper.kind
    level = Classification(classification(paper))
    document = company.corpus.add(space, paper.title, paper.text, classification=level, publish=False)
    company.documents[document] = paper
    own = _own(company, paper)
    if own is not None:
        with company.corpus.platform.database.begin() as connection:
            of_space = connection.execute(_SPACE_POLICY, {"space": company.corpus.spaces[space]}).scalar_one()
            own_id = policies.intern_policy(connection, own, of_space=of_space)
            documents.update(connection, document, own_policy_id=own_id)


def _own(company: Company, paper: Paper) -> Policy | None:
    """People who may read this one besides those of its space, and the peers who may not."""
    named = [person for person in paper.people if person in company.users]
    if not named:
        return None
    grant_to = {f"user:{company.users[person]}" for person in named}
    denied: set[str] = set()
    organisation = company.organisation
    if paper.kind == "record":
        (subject,) = named
        grant_to |= {f"user:{company.users[person]}" for person in organisation.line_above(subject)}
        denied = {f"user:{company.users[person]}" for person in organisation.peers(subject)}
    allow = frozenset(Grant(principal, Role.READER) for principal in grant_to - denied)
    return Policy(allow, frozenset(Denial(principal) for principal in denied), extends_space=True)


def _chat_space(departments: tuple[str, ...]) -> str:
    return "-".join(("chat", *(_slug(name) for name in departments)))


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-").replace("_", "-")
