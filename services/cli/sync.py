"""Keeping the documents of a source in step with a folder: new, changed, moved and deleted files.

A file's path in the folder is its external id; what it holds is told by its SHA-256. Only documents that carry the name
of the source are moved or deleted.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from rich.console import Console

from kbcore.errors import ConfigurationError
from services.cli.batch import Ended, Item, ingest
from services.cli.client import ApiError, Client
from services.cli.responses import Document


class Action(StrEnum):
    """What becomes of a file, or of a document whose file is gone."""

    NEW = "new"
    CHANGED = "changed"
    MOVED = "moved"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """One file or document. `moved_from` is the path that it had; `reason` says why it failed or was left out."""

    action: Action
    external_id: str
    file: Path | None = None
    document_id: str | None = None
    moved_from: str | None = None
    reason: str | None = None
    adopts: bool = False
    """True for a document uploaded by hand before, which this source takes over."""

    def shown(self) -> dict[str, str | None]:
        """As `--json` prints it."""
        return {
            "external_id": self.external_id,
            "action": self.action.value,
            "document_id": self.document_id,
            "moved_from": self.moved_from,
            "reason": self.reason,
        }


def plan(files: Mapping[str, Path], known: Iterable[Document], source: str, *, allow_empty: bool) -> list[Step]:
    """What it takes to bring the space's documents in step with these files; deletions last.

    Raises `ConfigurationError` if the folder is empty and everything would be deleted.
    """
    documents = {document.external_id: document for document in known if document.external_id is not None}
    gone = {
        external_id: document
        for external_id, document in documents.items()
        if document.source == source and external_id not in files
    }
    if gone and not files and not allow_empty:
        raise ConfigurationError(
            f"the folder is empty, and {len(gone)} documents of {source!r} would be deleted: "
            "if that is meant, say --allow-empty"
        )
    by_content: dict[str, list[Document]] = {}
    for document in gone.values():
        by_content.setdefault(document.sha256, []).append(document)
    steps: list[Step] = []
    for external_id, file in files.items():
        digest = _digest(file)
        present = documents.get(external_id)
        if digest is None:
            steps.append(Step(Action.FAILED, external_id, file, reason="the file cannot be read"))
        elif present is not None:
            steps.append(_of_known(external_id, file, present, digest, source))
        elif by_content.get(digest):
            moved = by_content[digest].pop(0)
            del gone[str(moved.external_id)]
            steps.append(Step(Action.MOVED, external_id, file, moved.id, moved.external_id))
        else:
            steps.append(Step(Action.NEW, external_id, file))
    return steps + [Step(Action.DELETED, name, document_id=document.id) for name, document in gone.items()]


def carry_out(
    client: Client, steps: Sequence[Step], space: str, source: str, fields: Mapping[str, str], console: Console
) -> list[Step]:
    """Do it: moves first, deletions last, when everything that replaces them is there. Returns how each step ended.

    Raises `ApiError` for what would meet every file.
    """
    done = {step.external_id: _moved(client, step) for step in steps if step.action is Action.MOVED}
    uploads = [step for step in steps if step.action in (Action.NEW, Action.CHANGED) or step.adopts]
    done.update(_uploaded(client, uploads, space, {**fields, "source": source}, console))
    for step in steps:
        if step.action is Action.DELETED:
            _delete(client, step)
    return [done.get(step.external_id, step) for step in steps]


def summary(steps: Iterable[Step]) -> dict[str, int]:
    """How many there are of each."""
    counts = Counter(step.action for step in steps)
    return {action.value: counts[action] for action in Action}


def _digest(file: Path) -> str | None:
    """SHA-256 of a file's bytes, 64 hex digits; None if it cannot be read."""
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return None


def _of_known(external_id: str, file: Path, present: Document, digest: str, source: str) -> Step:
    if present.source not in (None, source):
        reason = f"this document is kept in step with {present.source!r}"
        return Step(Action.FAILED, external_id, file, present.id, reason=reason)
    action = Action.UNCHANGED if present.sha256 == digest else Action.CHANGED
    return Step(action, external_id, file, present.id, adopts=present.source is None)


def _moved(client: Client, step: Step) -> Step:
    try:
        client.call("PATCH", f"/v1/documents/{step.document_id}", body={"external_id": step.external_id})
    except ApiError as refusal:
        if refusal.status != 409:
            raise
        return replace(step, action=Action.FAILED, reason=f"{refusal.code}: {refusal.detail}")
    return step


def _delete(client: Client, step: Step) -> None:
    try:
        client.call("DELETE", f"/v1/documents/{step.document_id}")
    except ApiError as refusal:
        if refusal.status != 404:  # somebody was faster
            raise


def _uploaded(
    client: Client, steps: Sequence[Step], space: str, fields: Mapping[str, str], console: Console
) -> dict[str, Step]:
    items = [
        Item(
            step.file,
            step.external_id,
            space,
            {**fields, "external_id": step.external_id, "source_uri": step.file.resolve().as_uri()},
        )
        for step in steps
        if step.file is not None
    ]
    outcomes = ingest(client, items, console)
    done: dict[str, Step] = {}
    for step, outcome in zip(steps, outcomes, strict=True):
        failed = outcome.ended is Ended.FAILED
        done[step.external_id] = replace(
            step, action=Action.FAILED if failed else step.action, reason=outcome.reason or None
        )
    return done
