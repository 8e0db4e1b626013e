"""Upload many files and wait until each one has ended: indexed, unchanged, skipped or failed."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from services.cli.client import ApiError, Client
from services.cli.responses import Job

POLL_S = 0.3
POLLED_AT_ONCE = 16  # the worker takes jobs in order, so looking at the oldest ones is enough


class Ended(StrEnum):
    """How an item ended, in the ledger's words."""

    INDEXED = "indexed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Item:
    """A file to upload. `label` is what people read, unique in a batch; `fields` are the upload's form fields."""

    file: Path
    label: str
    space: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an item ended; `reason` says why it was not indexed."""

    item: Item
    ended: Ended
    reason: str = ""


def ingest(client: Client, items: Sequence[Item], console: Console) -> list[Outcome]:
    """Upload all items, then wait for their jobs, under a progress bar; outcomes in the items' order.

    A refused file ends as failed and the rest goes on. Raises `ApiError` for what would meet every file (no such space,
    not allowed, the server's own errors) and `ServerNotRunningError`.
    """
    outcomes: dict[str, Outcome] = {}
    with _progress(console) as progress:
        bar = progress.add_task("uploading", total=len(items))
        waiting: dict[str, Item] = {}
        for item in items:
            progress.update(bar, description=f"uploading {item.label}")
            job_id = _upload(client, item, outcomes)
            if job_id is not None:
                waiting[job_id] = item
            progress.advance(bar)
        progress.update(bar, description="uploaded")
        if waiting:
            bar = progress.add_task("indexing", total=len(waiting))

            def seen(job: Job, item: Item) -> None:
                progress.update(bar, description=f"indexing {item.label}: {job.stage}")
                if job.ended:
                    outcomes[item.label] = _outcome(item, job)
                    progress.advance(bar)

            _wait(client, waiting, seen)
            progress.update(bar, description="indexed")
    return [outcomes[item.label] for item in items]


def summary(outcomes: Iterable[Outcome]) -> str:
    """`28 indexed, 2 unchanged, 1 failed`."""
    counts = Counter(outcome.ended for outcome in outcomes)
    return ", ".join(f"{counts[ended]} {ended}" for ended in Ended if counts[ended]) or "nothing to do"


def _upload(client: Client, item: Item, outcomes: dict[str, Outcome]) -> str | None:
    """The job to wait for, or None when the item has ended already."""
    try:
        upload = client.upload(item.file, space=item.space, fields=item.fields)
    except OSError as error:
        outcomes[item.label] = Outcome(item, Ended.FAILED, f"unreadable: {error.strerror}")
    except ApiError as refusal:
        if refusal.status in {401, 403, 404, 429} or refusal.status >= 500:
            raise  # the next file would meet the same
        outcomes[item.label] = Outcome(item, Ended.FAILED, f"{refusal.code}: {refusal.detail}")
    else:
        if upload.job_id is not None and not upload.unchanged:
            return upload.job_id
        outcomes[item.label] = Outcome(item, Ended.UNCHANGED)
    return None


def _wait(client: Client, waiting: dict[str, Item], seen: Callable[[Job, Item], None]) -> None:
    while waiting:
        for job_id in list(waiting)[:POLLED_AT_ONCE]:
            job = client.job(job_id)
            seen(job, waiting[job_id])
            if job.ended:
                del waiting[job_id]
        if waiting:
            time.sleep(POLL_S)


def _outcome(item: Item, job: Job) -> Outcome:
    if job.state == "succeeded" and job.stage != "skipped":
        return Outcome(item, Ended.INDEXED)
    ended = Ended.SKIPPED if job.state == "succeeded" else Ended.FAILED
    if job.error is None:
        return Outcome(item, ended, job.state)
    page = "" if job.error.page is None else f" (page {job.error.page})"
    return Outcome(item, ended, f"{job.error.code}{page}: {job.error.detail}")


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
    )
