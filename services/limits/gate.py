"""The gate before everything that costs something: searches, answers, embeddings. Asked before any work is done.

Limits protect cost, not secrets: while Redis or the figures cannot be read, requests pass and are counted as unchecked,
unless `[limits] strict` says otherwise.
"""

import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import ARRAY

from kbcore.domain.ids import new_id
from kbcore.domain.principal import Caller
from kbcore.errors import TooManyRequests, Unavailable
from kbcore.metadata import usage
from kbcore.metadata.database import Database
from kbcore.observability.metrics import limits_refused, limits_unchecked
from kbcore.settings import LimitSettings
from services.guard.guard import QUOTING
from services.limits.asking import MayAsk, any_model
from services.limits.counters import LEASE_S, WINDOW_S, Counted, Counters, Window
from services.limits.quotas import UsedUp, token_headers, used_up
from services.limits.rules import Rules, rules_for

_RENEW_S = LEASE_S / 4
_PAUSE_S = 5.0
"""How long Redis is left alone after it did not answer: not every request shall wait for it."""

_GROUP_NAMES = sa.text("SELECT name FROM groups WHERE name = ANY(:names) AND id = ANY(:ids)").bindparams(
    sa.bindparam("names", type_=ARRAY(sa.Text)), sa.bindparam("ids", type_=ARRAY(sa.Text))
)
_REACHED = {
    "key": "This key makes too many requests; at most {limit} in a minute.",
    "user": "Too many requests; at most {limit} in a minute.",
    "model": "This model is asked too often; at most {limit} times in a minute.",
    "answers": "Too many answers are being written for you at once; at most {limit}.",
}

T = TypeVar("T")

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Admission:
    """A request that may be worked on, as a context: its slot is given back at the end of the block or of its stream.

    `headers` say what is left, as OpenAI's API has them. With `refusal` it may not; who asks the gate raises that.
    `may_ask` is the gate's word on each model that is to be asked for it.
    """

    headers: Mapping[str, str]
    refusal: TooManyRequests | None = None
    may_ask: MayAsk = any_model
    _renew: Callable[[], None] | None = None
    _release: Callable[[], None] | None = None
    _clock: Callable[[], float] = time.monotonic
    _held: bool = field(default=False)

    def __enter__(self) -> Self:
        """Keep the slot."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Give the slot back, unless a stream holds it."""
        if not self._held:
            self.release()

    def release(self) -> None:
        """Give the slot back, once."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def hold(self, events: Generator[T, None, None]) -> Generator[T, None, None]:
        """The same events; the slot is kept until they end, or are closed because the client is gone."""
        self._held = True
        return self._holding(events)

    def _holding(self, events: Generator[T, None, None]) -> Generator[T, None, None]:
        renewed = self._clock()
        try:
            for event in events:
                if self._renew is not None and self._clock() - renewed > _RENEW_S:
                    renewed = self._clock()
                    self._renew()
                yield event
        finally:
            events.close()
            self.release()


class Gate:
    """One for each API process. `clock` gives Unix time in seconds."""

    def __init__(self, settings: LimitSettings, redis_url: str, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._counters = Counters(redis_url)
        self._clock = clock
        self._lock = threading.Lock()
        self._paused_until = 0.0
        self._group_names = sorted({each.group for each in settings.overrides if each.group})

    def admit(
        self, database: Database, caller: Caller, *, model: str | None = None, answers: bool = False
    ) -> Admission:
        """Let a request in, or say why not. `model` is the answer model that it names; `answers` = it wants an answer.

        A model's limit is only looked at here: `may_ask` counts where one is really asked.

        Raises `Unavailable` if what has to be known is not, and the settings are strict.
        """
        if not self._settings.limits_anything:
            return Admission({})
        rules = rules_for(self._settings, caller, self._groups(database, caller))
        windows = _windows(rules, caller, model)
        most = rules.answers_at_once if answers else 0
        request_id, now = new_id(), self._clock()
        counted = self._count(windows, request_id, now, caller.user_id, most)
        headers = _headers(windows, counted)
        if counted is not None and counted.refused is not None:
            limits = {**{each.what: each.limit for each in windows}, "answers": most}
            detail = _REACHED[counted.refused].format(limit=limits[counted.refused])
            return _refuse(headers, counted.refused, TooManyRequests(detail, retry_after=counted.retry_after))
        admission = Admission(headers, may_ask=self.may_ask, _clock=self._clock)
        if most and counted is not None:
            admission._renew = lambda: self._quietly(self._counters.renew, caller.user_id, request_id, self._clock())
            admission._release = lambda: self._quietly(self._counters.release, caller.user_id, request_id)
        try:
            found, left = self._quota(database, caller, rules, now)
        except BaseException:
            admission.release()
            raise
        admission.headers = {**headers, **left}
        if found is None:
            return admission
        admission.release()
        refusal = TooManyRequests(found.detail, retry_after=found.retry_after, code="quota_used_up")
        return _refuse(admission.headers, found.what, refusal)

    def may_ask(self, model: str) -> bool:
        """Count a question to this model; False, and nothing is counted, if it is asked too often. Quoting always may.

        Raises what `admit` raises.
        """
        limit = self._settings.model_requests_per_minute
        if not limit or model == QUOTING:
            return True
        counted = self._count([Window("model", model, limit)], new_id(), self._clock(), "", 0)
        if counted is None or counted.refused is None:
            return True
        limits_refused.labels("model").inc()
        return False

    def close(self) -> None:
        """Give back the connections."""
        self._counters.close()

    def _groups(self, database: Database, caller: Caller) -> frozenset[str]:
        """Ids of the caller's groups, and the names of those that an override names."""
        ids = [each.removeprefix("group:") for each in caller.principals if each.startswith("group:")]
        if not self._group_names or not ids:
            return frozenset(ids)
        with database.statement() as connection:
            names = connection.execute(_GROUP_NAMES, {"names": self._group_names, "ids": ids}).scalars()
            return frozenset([*ids, *names])

    def _count(self, windows: Sequence[Window], request_id: str, now: float, user: str, most: int) -> Counted | None:
        """None if Redis does not answer and that lets the request pass."""
        if not windows and not most:
            return None
        with self._lock:
            paused = time.monotonic() < self._paused_until
        detail = "Redis did not answer a moment ago; requests cannot be counted"
        if not paused:
            try:
                return self._counters.admit(windows, request_id, now, user=user, answers=most)
            except Unavailable as error:
                detail = error.detail
                with self._lock:
                    self._paused_until = time.monotonic() + _PAUSE_S
                _log.warning("limits_unchecked", detail=detail, strict=self._settings.strict)
        if self._settings.strict:
            raise Unavailable(detail)
        limits_unchecked.inc()
        return None

    def _quota(
        self, database: Database, caller: Caller, rules: Rules, now: float
    ) -> tuple[UsedUp | None, Mapping[str, str]]:
        """What is used up, and what is left of the day's tokens as headers."""
        if not rules.has_quota:
            return None, {}
        moment = datetime.fromtimestamp(now, UTC)
        in_all = rules.total_cost_micros_per_month > 0
        with database.statement() as connection:
            spent = usage.spent(connection, caller.user_id, moment.date(), in_all=in_all)
        return used_up(rules, spent, moment), token_headers(rules, spent, moment)

    def _quietly(self, call: Callable[..., None], *args: object) -> None:
        """A slot that cannot be renewed or given back runs out by itself."""
        try:
            call(*args)
        except Unavailable as error:
            _log.warning("limits_slot", detail=error.detail)


def _windows(rules: Rules, caller: Caller, model: str | None) -> list[Window]:
    said = [
        Window("key", caller.key_id or "", rules.key_requests if caller.key_id else 0),
        Window("user", caller.user_id, rules.user_requests),
        Window("model", model or "", rules.model_requests if model else 0, counted=False),
    ]
    return [window for window in said if window.limit]


def _refuse(headers: Mapping[str, str], what: str, refusal: TooManyRequests) -> Admission:
    limits_refused.labels(what).inc()
    return Admission(headers, refusal)


def _headers(windows: Sequence[Window], counted: Counted | None) -> dict[str, str]:
    """Of the window that has least left."""
    if counted is None or not windows:
        return {}
    left, limit = min((max(0, each.limit - used), each.limit) for each, used in zip(windows, counted.used, strict=True))
    return {
        "x-ratelimit-limit-requests": str(limit),
        "x-ratelimit-remaining-requests": str(left),
        "x-ratelimit-reset-requests": f"{counted.retry_after or WINDOW_S}s",
    }
