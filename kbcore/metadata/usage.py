"""What models cost, by UTC day, user, space and model."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.principal import Caller

ERASED = "erased"
"""The user that stands for all whose person was erased: their figures stay, as one sum."""

_ADD = sa.text("""
    INSERT INTO usage (day, user_id, space, model, requests, prompt_tokens, completion_tokens, cost_micros, latency_ms)
    VALUES (COALESCE(:day, (now() AT TIME ZONE 'UTC')::date), :user_id,
        COALESCE((SELECT id FROM spaces WHERE id = :space OR name = :space ORDER BY id <> :space LIMIT 1), ''),
        :model, 1, :prompt_tokens, :completion_tokens, :cost_micros, :latency_ms)
    ON CONFLICT (day, user_id, space, model) DO UPDATE SET
        requests = usage.requests + 1,
        prompt_tokens = usage.prompt_tokens + excluded.prompt_tokens,
        completion_tokens = usage.completion_tokens + excluded.completion_tokens,
        cost_micros = usage.cost_micros + excluded.cost_micros,
        latency_ms = usage.latency_ms + excluded.latency_ms
""").bindparams(sa.bindparam("day", type_=sa.Date))

_SPACE = sa.text("SELECT id FROM spaces WHERE id = :space OR name = :space ORDER BY id <> :space LIMIT 1")

_SPENT = sa.text("""
    SELECT
        (SELECT COALESCE(sum(prompt_tokens + completion_tokens), 0) FROM usage
         WHERE user_id = :user_id AND day = :today) AS tokens_today,
        (SELECT COALESCE(sum(cost_micros), 0) FROM usage
         WHERE user_id = :user_id AND day >= :month AND day <= :today) AS cost_this_month,
        CASE WHEN :in_all THEN
            (SELECT COALESCE(sum(cost_micros), 0) FROM usage WHERE day >= :month AND day <= :today)
        ELSE 0 END AS cost_of_all
""")

# Everybody sees its own. Rights are looked up afresh: who has lost an office since the request began sees no more.
_VISIBLE = """
    (u.user_id = :caller OR (:trusted AND EXISTS (
        SELECT FROM users WHERE id = :caller AND active AND (is_admin OR is_auditor)
    )))
"""
_FIGURES = """
    sum(u.requests) AS requests, sum(u.prompt_tokens) AS prompt_tokens, sum(u.completion_tokens) AS completion_tokens,
    sum(u.cost_micros) AS cost_micros, sum(u.latency_ms) AS latency_ms
"""
_PSEUDONYMISE = sa.text(f"""
    WITH gone AS (DELETE FROM usage WHERE user_id = :user_id RETURNING *)
    INSERT INTO usage SELECT day, '{ERASED}', space, model, requests, prompt_tokens, completion_tokens, cost_micros,
        latency_ms FROM gone
    ON CONFLICT (day, user_id, space, model) DO UPDATE SET
        requests = usage.requests + excluded.requests,
        prompt_tokens = usage.prompt_tokens + excluded.prompt_tokens,
        completion_tokens = usage.completion_tokens + excluded.completion_tokens,
        cost_micros = usage.cost_micros + excluded.cost_micros,
        latency_ms = usage.latency_ms + excluded.latency_ms
""")


class By(StrEnum):
    """What figures are summed up by."""

    DAY = "day"
    USER = "user"
    MODEL = "model"
    SPACE = "space"


_SUMS = sa.text(f"""
    SELECT CASE CAST(:by AS text)
        WHEN '{By.DAY}' THEN u.day::text WHEN '{By.USER}' THEN u.user_id WHEN '{By.MODEL}' THEN u.model ELSE u.space
        END AS key, {_FIGURES}
    FROM usage u WHERE {_VISIBLE}
        AND (CAST(:user AS text) IS NULL OR u.user_id = :user) AND (CAST(:space AS text) IS NULL OR u.space = :space)
        AND (CAST(:model AS text) IS NULL OR u.model = :model)
        AND (CAST(:since AS date) IS NULL OR u.day >= :since) AND (CAST(:until AS date) IS NULL OR u.day < :until)
    GROUP BY 1 ORDER BY 1
""")


@dataclass(frozen=True, slots=True)
class Price:
    """Of a million tokens, in the currency of the settings; so the price of one token, in millionths of it."""

    input: float = 0.0
    output: float = 0.0

    def micros(self, prompt_tokens: int, completion_tokens: int) -> int:
        """What so many tokens cost, in millionths, rounded up: what costs something is never counted as free."""
        cost = prompt_tokens * self.input + completion_tokens * self.output
        return int(cost) + (cost > int(cost))


FREE = Price()


@dataclass(frozen=True, slots=True)
class Use:
    """One request. `space` is the id or name of the only space that was asked in, or empty; `day` None = today."""

    user_id: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int
    latency_ms: int
    space: str = ""
    day: date | None = None

    @property
    def row(self) -> tuple[str, str, str]:
        """In the order in which rows are written: two writers never wait for each other in a circle."""
        return self.user_id, self.space, self.model


@dataclass(frozen=True, slots=True)
class Spent:
    """What a user has used: tokens of the day, and cost of the month in millionths; `cost_of_all` is 0 if not asked."""

    tokens_today: int
    cost_this_month: int
    cost_of_all: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums. `key` is the day (ISO), user, model or space that they are of; None = of everything.

    `cost_micros` is in millionths, `latency_ms` the sum over the requests.
    """

    key: str | None
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int
    latency_ms: int


@dataclass(frozen=True, slots=True)
class Which:
    """Which usage: of a user (id), in a space (id), of a model, from the day `since` until before `until`."""

    user_id: str | None = None
    space: str | None = None
    model: str | None = None
    since: date | None = None
    until: date | None = None


def add(connection: Connection, uses: Sequence[Use]) -> None:
    """Count requests."""
    for use in sorted(uses, key=lambda use: use.row):
        connection.execute(_ADD, {name: getattr(use, name) for name in use.__slots__})


def spent(connection: Connection, user_id: str, today: date, *, in_all: bool) -> Spent:
    """What a user has used until now; with `in_all` also what everybody has cost this month."""
    asked = {"user_id": user_id, "today": today, "month": today.replace(day=1), "in_all": in_all}
    row = connection.execute(_SPENT, asked).one()
    return Spent(int(row.tokens_today), int(row.cost_this_month), int(row.cost_of_all))


def figures(connection: Connection, caller: Caller, which: Which, by: By) -> list[Figures]:
    """Sums by `by`, in its order: of everybody for auditors and administrators, of itself for everyone else."""
    rows = connection.execute(
        _SUMS,
        {
            "by": by,
            "user": which.user_id,
            "space": which.space,
            "model": which.model,
            "since": which.since,
            "until": which.until,
            "caller": caller.user_id,
            "trusted": caller.is_trusted,
        },
    )
    return [
        Figures(
            row.key,
            int(row.requests),
            int(row.prompt_tokens),
            int(row.completion_tokens),
            int(row.cost_micros),
            int(row.latency_ms),
        )
        for row in rows
    ]


def space_id(connection: Connection, space: str) -> str:
    """The id that a space is counted under; a name that nobody has counts nothing."""
    row = connection.execute(_SPACE, {"space": space}).scalar_one_or_none()
    return space if row is None else str(row)


def pseudonymise(connection: Connection, user_id: str) -> int:
    """Add a person's figures to those of nobody in particular; returns how many rows there were."""
    count = connection.execute(sa.text("SELECT count(*) FROM usage WHERE user_id = :user_id"), {"user_id": user_id})
    rows = int(count.scalar_one())
    connection.execute(_PSEUDONYMISE, {"user_id": user_id})
    return rows
