"""Upload many files and wait until each one has ended: indexed, unchanged, skipped or failed."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from services.cli.client import ApiError, Client
from services.cli.responses import Job, Upload

POLL_S = 0.3
POLLED = 16  # the worker takes jobs in order, so looking at the oldest ones is enough


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
        waiting = _upload_all(client, items, outcomes, progress)
        if waiting:
            _wait(client, waiting, outcomes, progress)
    return [outcomes[item.label] for item in items]


def wait_for(client: Client, job_id: str, console: Console) -> Job:
    """Wait until a job has ended, under a progress bar."""
    with _progress(console) as progress:
        bar = progress.add_task("waiting", total=1)
        while not (job := client.job(job_id)).ended:
            progress.update(bar, description=job.stage)
            time.sleep(POLL_S)
        progress.advance(bar)
    return job


def summary(outcomes: Iterable[Outcome]) -> str:
    """`28 indexed, 2 unchanged, 1 failed`."""
    counts = Counter(outcome.ended for outcome in outcomes)
    return ", ".join(f"{counts[ended]} {ended}" for ended in Ended if counts[ended]) or "nothing to do"


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An item whose job has not been seen to end. `unchanged`: it is the job of an earlier upload of the same bytes."""

    item: Item
    unchanged: bool


def _upload_all(
    client: Client, items: Sequence[Item], outcomes: dict[str, Outcome], progress: Progress
) -> dict[str, _Waiting]:
    waiting: dict[str, _Waiting] = {}
    bar = progress.add_task("uploading", total=len(items))
    for item in items:
        progress.update(bar, description=f"uploading {item.label}")
        upload = _upload(client, item, outcomes)
        if upload is not None and upload.job_id is not None:
            waiting[upload.job_id] = _Waiting(item, upload.unchanged)
        elif upload is not None:
            outcomes[item.label] = Outcome(item, Ended.UNCHANGED)
        progress.advance(bar)
    progress.update(bar, description="uploaded")
    return waiting


def _upload(client: Client, item: Item, outcomes: dict[str, Outcome]) -> Upload | None:
    """Upload one; None when it has ended already, as failed."""
    try:
        return client.upload(item.file, space=item.space, fields=item.fields)
    except OSError as error:
        outcomes[item.label] = Outcome(item, Ended.FAILED, f"unreadable: {error.strerror}")
    except ApiError as refusal:
        if refusal.status in {401, 403, 404, 429} or refusal.status >= 500:
            raise  # the next file would meet the same
        outcomes[item.label] = Outcome(item, Ended.FAILED, f"{refusal.code}: {refusal.detail}")
    return None


def _wait(client: Client, waiting: dict[str, _Waiting], outcomes: dict[str, Outcome], progress: Progress) -> None:
    bar = progress.add_task("indexing", total=len(waiting))
    while waiting:
        for job_id, awaited in list(islice(waiting.items(), POLLED)):
            job, item = client.job(job_id), awaited.item
            progress.update(bar, description=f"indexing {item.label}: {job.stage}")
            if job.ended:
                outcomes[item.label] = _outcome(item, job, unchanged=awaited.unchanged)
                progress.advance(bar)
                del waiting[job_id]
        if waiting:
            time.sleep(POLL_S)
    progress.update(bar, description="indexed")


def _outcome(item: Item, job: Job, *, unchanged: bool) -> Outcome:
    if job.state == "succeeded" and job.stage != "skipped":
        return Outcome(item, Ended.UNCHANGED if unchanged else Ended.INDEXED)
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
