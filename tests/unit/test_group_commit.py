"""Group commit: callers share commits, each returns when its own items are in, and errors reach whom they concern."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from kbcore.audit.group_commit import GroupCommit, _Ticket

PATIENCE_S = 10


class Gate:
    """A commit that waits to be let through, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.entered = threading.Semaphore(0)
        self.let_through = threading.Semaphore(0)
        self.error: Exception | None = None

    def commit(self, items: Sequence[str]) -> None:
        self.batches.append(list(items))
        self.entered.release()
        assert self.let_through.acquire(timeout=PATIENCE_S)
        if self.error is not None:
            raise self.error


def test_those_who_wait_share_the_next_commit() -> None:
    gate = Gate()
    together = GroupCommit(gate.commit)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(together.submit, ["first"])
        assert gate.entered.acquire(timeout=PATIENCE_S)
        others = [pool.submit(together.submit, [f"{number}a", f"{number}b"]) for number in range(8)]
        while len(together._waiting) < 8:
            threading.Event().wait(0.001)
        gate.let_through.release()
        assert gate.entered.acquire(timeout=PATIENCE_S)
        assert not any(other.done() for other in others)  # nobody returns before its own commit
        gate.let_through.release()
        for each in (first, *others):
            each.result(PATIENCE_S)
    assert gate.batches[0] == ["first"]
    assert len(gate.batches) == 2
    pairs = list(zip(gate.batches[1][::2], gate.batches[1][1::2], strict=True))
    assert sorted(pairs) == [(f"{number}a", f"{number}b") for number in range(8)]


def test_an_error_goes_to_the_batch_that_it_happened_to_and_the_next_one_goes_on() -> None:
    gate = Gate()
    together = GroupCommit(gate.commit, fatal=(ValueError,))
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(together.submit, ["first"])
        assert gate.entered.acquire(timeout=PATIENCE_S)
        others = [pool.submit(together.submit, ["x"]) for _ in range(2)]
        while len(together._waiting) < 2:
            threading.Event().wait(0.001)
        gate.error = ValueError("disk full")
        gate.let_through.release()
        with pytest.raises(ValueError, match="disk full"):
            first.result(PATIENCE_S)
        assert gate.entered.acquire(timeout=PATIENCE_S)
        gate.let_through.release()
        for other in others:
            with pytest.raises(ValueError, match="disk full"):
                other.result(PATIENCE_S)
    gate.error = None
    gate.let_through.release()
    together.submit(["after"])
    assert gate.batches[-1] == ["after"]


def test_one_whose_items_cannot_be_committed_spoils_nobody_elses() -> None:
    done: list[str] = []

    def commit(items: Sequence[str]) -> None:
        if "bad" in items:
            raise ValueError("bad")
        done.extend(items)

    together = GroupCommit(commit)
    tickets = [_Ticket([word]) for word in ("first", "bad", "last")]
    together._led, together._waiting = True, list(tickets)
    together._lead()
    assert done == ["first", "last"]
    assert [str(each.error) for each in tickets] == ["None", "bad", "None"]
    assert all(each.finished for each in tickets)
    assert not together._led


def test_nothing_is_lost_or_doubled_by_many_threads() -> None:
    done: list[int] = []
    together = GroupCommit(done.extend)
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda number: together.submit([number]), range(5000)))
    assert sorted(done) == list(range(5000))


def test_one_who_is_interrupted_when_it_shall_lead_lets_the_next_one_lead() -> None:
    done: list[str] = []
    together = GroupCommit(done.extend)
    interrupted, other = _Ticket(["interrupted"]), _Ticket(["other"])
    together._led, together._waiting = True, [interrupted, other]
    together._appoint()
    assert interrupted.woken.is_set()
    together._withdraw(interrupted)  # what Ctrl-C leads to
    assert other.woken.is_set()
    together._lead()
    assert (done, other.finished, together._led) == (["other"], True, False)


def test_one_who_is_interrupted_last_leaves_nobody_leading() -> None:
    done: list[str] = []
    together = GroupCommit(done.extend)
    interrupted = _Ticket(["interrupted"])
    together._led, together._waiting = True, [interrupted]
    together._appoint()
    together._withdraw(interrupted)
    together.submit(["after"])
    assert done == ["after"]
