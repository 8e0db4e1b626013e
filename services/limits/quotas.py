"""Quotas: what of a day's tokens and a month's money is used up, by the figures in SQL.

They are exact for what is complete; what is being written is counted when it is: a quota is overdrawn by at most the
answers that were under way when it was reached.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kbcore.metadata.usage import Spent
from services.limits.rules import Rules


@dataclass(frozen=True, slots=True)
class UsedUp:
    """Which quota (`total_cost`, `cost`, `tokens`), what to say, and in how many seconds it begins anew."""

    what: str
    detail: str
    retry_after: int


def used_up(rules: Rules, spent: Spent, moment: datetime) -> UsedUp | None:
    """The quota that is reached at this moment (UTC): of several the one that lasts longest."""
    to_month, to_day = _seconds(moment, _next_month(moment)), _seconds(moment, _next_day(moment))
    if 0 < rules.total_cost_micros_per_month <= spent.cost_of_all:
        return UsedUp("total_cost", "What may be spent on models this month is used up.", to_month)
    if 0 < rules.cost_micros_per_month <= spent.cost_this_month:
        return UsedUp("cost", "What you may spend on models this month is used up.", to_month)
    if 0 < rules.tokens_per_day <= spent.tokens_today:
        return UsedUp("tokens", f"Your {rules.tokens_per_day} tokens of today (UTC) are used up.", to_day)
    return None


def token_headers(rules: Rules, spent: Spent, moment: datetime) -> dict[str, str]:
    """What is left of the day's tokens, as OpenAI's API says it."""
    if not rules.tokens_per_day:
        return {}
    return {
        "x-ratelimit-limit-tokens": str(rules.tokens_per_day),
        "x-ratelimit-remaining-tokens": str(max(0, rules.tokens_per_day - spent.tokens_today)),
        "x-ratelimit-reset-tokens": f"{_seconds(moment, _next_day(moment))}s",
    }


def _next_day(moment: datetime) -> datetime:
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC) + timedelta(days=1)


def _next_month(moment: datetime) -> datetime:
    return (datetime(moment.year, moment.month, 1, tzinfo=UTC) + timedelta(days=32)).replace(day=1)


def _seconds(moment: datetime, until: datetime) -> int:
    return max(1, math.ceil((until - moment).total_seconds()))
