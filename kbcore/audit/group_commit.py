"""Group commit: callers that wait at the same time share one transaction, which one of them carries out."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _Ticket(Generic[Item]):
    """One caller's items; `woken` is set when they are committed or refused, or when it is its turn to lead."""

    __slots__ = ("error", "finished", "items", "woken")

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.woken = threading.Event()
        self.finished = False
        self.error: BaseException | None = None


class GroupCommit(Generic[Item]):
    """Hands items to `commit`, many callers' at once, and returns to each of them when its own are committed.

    There is no thread behind it: a caller that finds nobody committing leads. It takes everything that waits, commits
    it, and appoints one of those that came meanwhile. If `commit` refuses a batch, each caller's items are committed by
    themselves, and only those that cannot be get the error: one that SQL does not take must not spoil the others'.
    `fatal` are errors that say nothing about the items (SQL is gone): everybody of the batch gets them.
    """

    def __init__(
        self, commit: Callable[[Sequence[Item]], None], *, fatal: tuple[type[BaseException], ...] = ()
    ) -> None:
        """After an error that is not `fatal` nothing of what `commit` was given may be committed."""
        self._commit = commit
        self._fatal = fatal
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[Item]] = []
        self._led = False

    def submit(self, items: Sequence[Item]) -> None:
        """Return when the items are committed, in the order of `items`. Raises what `commit` raises."""
        ticket = _Ticket(items)
        with self._lock:
            self._waiting.append(ticket)
            leads = not self._led
            self._led = True
        if not leads:
            try:
                ticket.woken.wait()
            except BaseException:  # Ctrl-C: whoever was appointed to lead must not take the turn with it
                self._withdraw(ticket)
                raise
        if not ticket.finished:
            self._lead()
        if ticket.error is not None:
            raise ticket.error

    def _lead(self) -> None:
        """Commit all that waits, this caller's items among it."""
        with self._lock:
            batch, self._waiting = self._waiting, []
        error = self._try(batch)
        alone = len(batch) > 1 and isinstance(error, Exception) and not isinstance(error, self._fatal)
        for ticket in batch:
            ticket.error = self._try([ticket]) if alone else error
        with self._lock:
            for ticket in batch:
                ticket.finished = True
            self._appoint()
        for ticket in batch:
            ticket.woken.set()

    def _try(self, batch: Sequence[_Ticket[Item]]) -> BaseException | None:
        try:
            self._commit([item for ticket in batch for item in ticket.items])
        except BaseException as caught:  # noqa: BLE001 (raised again, by every caller that it concerns)
            return caught
        return None

    def _appoint(self) -> None:
        """Let the one that has waited longest lead, if there is one."""
        self._led = bool(self._waiting)
        if self._waiting:
            self._waiting[0].woken.set()

    def _withdraw(self, ticket: _Ticket[Item]) -> None:
        with self._lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                if ticket.woken.is_set():
                    self._appoint()
