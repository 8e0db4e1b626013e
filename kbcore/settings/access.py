"""Settings of who gets in and what is kept of it: keys, logins, tokens, egress, the audit log, traces, anomalies."""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from kbcore.audit.anomalies import Rule, Thresholds
from kbcore.settings.section import Level, Section, Words, _words


class AuditSettings(Section):
    """The audit log: its chain's keys, and where its heads are kept."""

    key: SecretStr
    former_keys: list[SecretStr]
    heads: Literal["file", "s3"]
    heads_folder: str
    heads_bucket: str
    export_every_s: float = Field(gt=0)
    verify_every_hours: float = Field(ge=0, le=8760)
    refusals_per_minute: int = Field(ge=1)


class KeySettings(Section):
    """API keys."""

    max_days: int = Field(ge=0, le=36500)


class LoginSettings(Section):
    """Logging in with a password."""

    enabled: bool
    session_hours: float = Field(gt=0, le=8760)
    min_password_chars: int = Field(ge=8, le=100)
    attempts_per_name: int = Field(ge=1)
    attempts_per_address: int = Field(ge=1)
    window_minutes: int = Field(ge=1, le=1440)


class EgressSettings(Section):
    """Requests to addresses that users can influence: what is allowed beyond the public internet."""

    allow_hosts: Words
    allow_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_words)]
    ports: Annotated[tuple[int, ...], BeforeValidator(_words)]


class OidcSettings(Section):
    """Bearer tokens of an identity provider. Off while `issuer` is empty."""

    issuer: str
    audience: str
    jwks_url: str
    algorithms: Annotated[
        tuple[
            Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"],
            ...,
        ],
        BeforeValidator(_words),
        Field(min_length=1),
    ]
    username_claim: str = Field(min_length=1)
    external_id_claim: str = Field(min_length=1)
    groups_claim: str = Field(min_length=1)
    create_users: bool
    create_groups: bool
    clearance: Level
    leeway_s: int = Field(ge=0, le=300)
    jwks_ttl_s: int = Field(ge=10)
    token_max_age_s: int = Field(ge=1)

    @field_validator("issuer")
    @classmethod
    def _protected(cls, issuer: str) -> str:
        url = urlsplit(issuer)
        here = url.hostname in ("localhost", "127.0.0.1", "::1")
        if issuer and (not url.hostname or url.query or url.fragment or url.username is not None):
            raise ValueError("must be an address such as https://login.example.com/realms/staff")
        if issuer and url.scheme != "https" and not (here and url.scheme == "http"):
            raise ValueError("must begin with https://: whoever can change the keys on the way can be anyone")
        return issuer

    @field_validator("audience")
    @classmethod
    def _named(cls, audience: str, info: ValidationInfo) -> str:
        if info.data.get("issuer") and not audience:
            raise ValueError("is needed with oidc.issuer: tokens that the issuer made for others must not work here")
        return audience

    @field_validator("jwks_url")
    @classmethod
    def _address(cls, jwks_url: str) -> str:
        url = urlsplit(jwks_url)
        if jwks_url and (url.scheme not in ("http", "https") or not url.hostname):
            raise ValueError("must be an address such as https://login.example.com/realms/staff/certs")
        return jwks_url


class TraceSettings(Section):
    """Traces of searches and answers."""

    keep_days: int = Field(ge=0)


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class AnomalySettings(Section):
    """What is remarkable in the audit log."""

    rules: Words
    every_s: float = Field(gt=0)
    documents_per_hour: int = Field(ge=1)
    refusals: int = Field(ge=1)
    off_hours_from: int = Field(ge=0, le=23)
    off_hours_to: int = Field(ge=0, le=23)
    off_days: Words
    time_zone: str
    throttle_minutes: int = Field(ge=0)
    throttle_rules: Words

    @field_validator("rules", "throttle_rules")
    @classmethod
    def _known_rules(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            Rule(name)
        return names

    @field_validator("off_days")
    @classmethod
    def _known_days(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not set(names) <= set(_DAYS):
            raise ValueError(f"days are {', '.join(_DAYS)}")
        return names

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (OSError, ValueError, LookupError):
            raise ValueError("no such time zone; they are named like Asia/Shanghai") from None
        return name

    @property
    def throttling(self) -> frozenset[Rule]:
        """The rules that put off requests of who caused a finding."""
        return frozenset(map(Rule, self.throttle_rules)) if self.throttle_minutes else frozenset()

    def thresholds(self) -> Thresholds:
        """The same for the rules."""
        return Thresholds(
            rules=frozenset(map(Rule, self.rules)),
            documents=self.documents_per_hour,
            documents_window=timedelta(hours=1),
            refusals=self.refusals,
            refusals_window=timedelta(minutes=5),
            off_from=self.off_hours_from,
            off_to=self.off_hours_to,
            off_days=frozenset(_DAYS.index(day) + 1 for day in self.off_days),
            zone=ZoneInfo(self.time_zone),
        )
