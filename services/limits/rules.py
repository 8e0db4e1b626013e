"""Which limits hold for a caller: the settings, or the first override that names it or one of its groups."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.settings import LimitOverride, LimitSettings
from services.guard.guard import QUOTING


@dataclass(frozen=True, slots=True)
class Rules:
    """Requests in any 60 s; answers being written at once; tokens of a UTC day; cost of a UTC month. 0 = no limit."""

    key_requests: int
    user_requests: int
    model_requests: int
    answers_at_once: int
    tokens_per_day: int
    cost_micros_per_month: int
    total_cost_micros_per_month: int

    @property
    def counts(self) -> bool:
        """True if Redis has to count something."""
        return bool(self.key_requests or self.user_requests or self.model_requests or self.answers_at_once)

    @property
    def has_quota(self) -> bool:
        """True if what was used has to be looked up."""
        return bool(self.tokens_per_day or self.cost_micros_per_month or self.total_cost_micros_per_month)


def rules_for(settings: LimitSettings, caller: Caller, groups: AbstractSet[str]) -> Rules:
    """The rules for this caller, who is in these groups (ids and names)."""
    names = {caller.user_id, caller.name}
    for override in settings.overrides:
        if override.user in names or override.group in groups:
            return _rules(settings, override)
    return _rules(settings, LimitOverride())


def _rules(settings: LimitSettings, override: LimitOverride) -> Rules:
    def value(name: str) -> float:
        own = getattr(override, name)
        return float(getattr(settings, name) if own is None else own)

    return Rules(
        key_requests=int(value("key_requests_per_minute")),
        user_requests=int(value("user_requests_per_minute")),
        model_requests=settings.model_requests_per_minute,
        answers_at_once=int(value("user_answers_at_once")),
        tokens_per_day=int(value("user_tokens_per_day")),
        cost_micros_per_month=round(value("user_cost_per_month") * 1_000_000),
        total_cost_micros_per_month=round(settings.total_cost_per_month * 1_000_000),
    )


def asked_of(platform: Platform, requested: str | None) -> str | None:
    """The answer model that a request insists on, if it can be limited; where routing chooses, others step in."""
    return requested if requested in platform.answer_models and requested != QUOTING else None
