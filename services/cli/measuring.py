"""Measuring on golden questions, as `zhiku eval` and `zhiku calibrate` do: upload a file, order, wait, read."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from kbcore.errors import ConfigurationError
from services.cli.client import ApiError, Client
from services.cli.golden_file import SUFFIXES, read_golden_file

POLL_S = 0.3


def measured(
    client: Client,
    golden_set: str,
    space: str | None,
    order: dict[str, Any],
    console: Console,
    query: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Order an evaluation on a set, or on a file of questions, wait for it, and read it with `query`.

    Raises `ApiError` with the job's reason if it fails, and `ConfigurationError` for a file that does not fit.
    """
    name = _upload(client, Path(golden_set), space) if golden_set.endswith(SUFFIXES) else golden_set
    ordered = client.call("POST", "/v1/evaluations", body={"set": name, **order})
    with console.status("measuring") as status:
        while not (job := client.job(ordered["job_id"])).ended:
            status.update(f"measuring: {job.stage} {job.done}/{job.total}")
            time.sleep(POLL_S)
    if job.state != "succeeded":
        reason = job.error
        raise ApiError(200, reason.code if reason else job.state, reason.detail if reason else f"it was {job.state}")
    return finished(client, ordered["id"], query)


def finished(client: Client, evaluation_id: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """An evaluation with its report. Raises `ConfigurationError` if it has none yet."""
    found: dict[str, Any] = client.call("GET", f"/v1/evaluations/{evaluation_id}", query=query)
    if found["report"] is None:
        raise ConfigurationError(f"this evaluation has not finished; its job: zhiku jobs {found['job_id']}")
    return found


def _upload(client: Client, file: Path, space: str | None) -> str:
    """Make a set of the file, named after it; a set of this name with the same questions is used again."""
    if not file.is_file():
        raise ConfigurationError(f"there is no file {file}")
    questions = read_golden_file(file, space)
    try:
        client.call("POST", "/v1/golden-sets", body={"name": file.stem, "questions": questions}, timeout_s=120)
    except ApiError as refusal:
        if refusal.code != "name_taken":
            raise
        kept = client.call("GET", f"/v1/golden-sets/{file.stem}")["questions"]
        same = [(item["question"], item["answerable"]) for item in kept]
        if same != [(item["question"].strip(), bool(item["documents"])) for item in questions]:
            raise ConfigurationError(
                f"there is a golden set {file.stem!r} with other questions: rename the file, or delete that set"
            ) from None
    return file.stem
