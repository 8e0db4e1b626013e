"""The API with an identity provider: both real, on loopback ports."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.metadata import groups, users
from kbcore.metadata.database import Database
from kbcore.metadata.tables import audit_events, group_members
from tests.api_server import api_settings
from tests.servers.application import serving
from tests.servers.issuer import AUDIENCE, Issuer, issuer_server


@dataclass
class Office:
    """Where people come in with tokens."""

    issuer: Issuer
    platform: Platform
    client: httpx.Client

    def me(self, **claims: Any) -> httpx.Response:
        """`GET /v1/users/me` with a token of these claims."""
        return self.with_token(self.issuer.token(**claims))

    def with_token(self, token: str) -> httpx.Response:
        """`GET /v1/users/me` with this token."""
        return self.client.get("/v1/users/me", headers={"Authorization": f"Bearer {token}"})

    def groups_of(self, **claims: Any) -> list[str]:
        """The names of the groups that somebody with these claims is in."""
        return list(self.me(**claims).raise_for_status().json()["groups"])

    def user(self, name: str, **values: object) -> str:
        """A user who is there already; returns the id."""
        with self.platform.database.begin() as connection:
            user = users.create_user(
                connection,
                name=name,
                display_name=name,
                email=None,
                clearance=Classification.PUBLIC,
                is_admin=bool(values.pop("is_admin", False)),
            )
            users.update_user(connection, user.id, values)
            return user.id

    def group(self, name: str, external_id: str | None = None) -> str:
        """A group that is there already; returns the id."""
        with self.platform.database.begin() as connection:
            return groups.create_group(connection, name=name, title=name, external_id=external_id).id

    def sources(self) -> dict[str, str]:
        """Who put each member in: `{group id: source}` of all rows."""
        with self.platform.database.begin() as connection:
            query = sa.select(group_members.c.group_id, group_members.c.source)
            return {row.group_id: row.source for row in connection.execute(query)}

    def audited(self, kind: str) -> list[Mapping[str, Any]]:
        """The details of all records of this kind."""
        with self.platform.database.begin() as connection:
            query = sa.select(audit_events.c.detail).where(audit_events.c.kind == kind).order_by(audit_events.c.seq)
            return list(connection.execute(query).scalars())


@contextmanager
def open_office(database: Database, urls: tuple[str, str], home: Path, **settings: str) -> Iterator[Office]:
    """An API that trusts a fresh provider. `urls` are PostgreSQL's and Redis'."""
    with issuer_server() as issuer:
        more = {"ZHIKU_OIDC__ISSUER": issuer.url, "ZHIKU_OIDC__AUDIENCE": AUDIENCE, **settings}
        platform = Platform(api_settings(home, *urls, **more))
        platform.__dict__.update(database=database)
        with serving(platform) as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            yield Office(issuer, platform, client)
