"""Writers, readers, readers of the past and an administrator who re-indexes, all at once, and what none may see.

Every passage of a version names its document, its part and a marker, so that a mixture, a half and a gap would show.
"""

import random
import re
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.e2e.product import Product

SPACE = "kill"
DOCUMENTS = 4
"""Documents that are never deleted: a reader who has seen one must always see it."""
PARTS = 3
MORTALS = 5
"""Documents that come and go: at most so many at a time."""

_MARKER = re.compile(r"The marker of document (\w+) part (\d) is v(\d+)\.")

Reading = dict[str, tuple[int, frozenset[str]]]
"""What a reader sees of each document: the version, and its passages."""


def body(name: str, marker: int) -> bytes:
    """A version's text."""
    sections = [f"# Part {part}\n\nThe marker of document {name} part {part} is v{marker}." for part in range(PARTS)]
    return "\n\n".join(sections).encode()


@dataclass
class Record:
    """What was acknowledged and what was read, shared by all threads."""

    acknowledged: dict[tuple[str, int], int] = field(default_factory=dict)
    """(document, version) → the marker that its text must have."""
    latest: dict[str, int] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    """Ids of the documents that are never deleted → their names."""
    deleted: dict[str, datetime] = field(default_factory=dict)
    at_epoch: dict[int, Reading] = field(default_factory=dict)
    at_time: list[tuple[datetime, Reading]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def complain(self, what: str) -> None:
        """Something that must never happen has happened."""
        with self.lock:
            self.wrong.append(what)


class Actor(threading.Thread):
    """Does one thing again and again until told to stop; a server that is down just now is no complaint."""

    pause_s = 0.05

    def __init__(self, product: Product, record: Record, stop: threading.Event, seed: int) -> None:
        super().__init__(daemon=True)
        self.product, self.record, self.halt, self.chance = product, record, stop, random.Random(seed)

    def run(self) -> None:
        """Act, with pauses."""
        with self.product.client() as http:
            while not self.halt.wait(self.pause_s):
                try:
                    self.act(http)
                except httpx.TransportError:
                    continue

    def act(self, http: httpx.Client) -> None:
        """One step."""
        raise AssertionError("an actor acts")

    def good(self, answer: httpx.Response, *expected: int) -> bool:
        """True for an expected status; outages are allowed, server errors are not."""
        if answer.status_code in expected:
            return True
        if answer.status_code not in (502, 503):
            self.record.complain(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}")
        return False


class Writer(Actor):
    """Uploads, rolls back, adds and deletes, and remembers what was acknowledged."""

    pause_s = 0.25

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._marker = 0
        self._mortals: list[str] = []

    def act(self, http: httpx.Client) -> None:
        """Mostly new versions."""
        choice = self.chance.random()
        if choice < 0.6 or len(self.record.kept) < DOCUMENTS:
            self._upload(http, f"d{self._marker % DOCUMENTS}")
        elif choice < 0.8:
            self._roll_back(http)
        elif len(self._mortals) < MORTALS:
            self._upload(http, f"m{self._marker}")
        else:
            self._remove(http)

    def _upload(self, http: httpx.Client, name: str) -> None:
        self._marker += 1
        marker = self._marker
        answer = http.post(
            "/v1/documents",
            data={"space": SPACE, "external_id": name},
            files={"file": (f"{name}.md", body(name, marker))},
        )
        if self.good(answer, 202):
            got = answer.json()
            self._acknowledge(got["document_id"], got["version"], marker)
            if name.startswith("d"):
                self.record.kept[got["document_id"]] = name
            else:
                self._mortals.append(got["document_id"])
            self.record.counts["uploads"] += 1

    def _roll_back(self, http: httpx.Client) -> None:
        document = self.chance.choice(sorted(self.record.kept))
        listed = http.get(f"/v1/documents/{document}/versions")
        if not self.good(listed, 200):
            return
        indexed = [item["number"] for item in listed.json()["items"] if item["state"] == "indexed"]
        known = [number for number in indexed if (document, number) in self.record.acknowledged]
        if not known:
            return
        to = self.chance.choice(known)
        answer = http.post(f"/v1/documents/{document}/rollback", json={"to": to, "comment": "the old rule holds again"})
        if self.good(answer, 202, 200) and answer.status_code == 202:
            marker = self.record.acknowledged[document, to]
            self._acknowledge(document, answer.json()["version"], marker)
            self.record.counts["rollbacks"] += 1

    def _remove(self, http: httpx.Client) -> None:
        document = self._mortals.pop(0)
        answer = http.delete(f"/v1/documents/{document}")
        if self.good(answer, 204, 404):
            self.record.deleted[document] = datetime.now(UTC)
            self.record.counts["deletions"] += 1

    def _acknowledge(self, document: str, version: int, marker: int) -> None:
        with self.record.lock:
            self.record.acknowledged[document, version] = marker
            self.record.latest[document] = max(version, self.record.latest.get(document, 0))


class Reader(Actor):
    """Reads the present all the time, checks it, and remembers what each epoch looked like."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._seen: set[str] = set()
        self._before: tuple[datetime, int, Reading] | None = None

    def act(self, http: httpx.Client) -> None:
        """One search of everything."""
        begun = datetime.now(UTC)
        answer = http.post("/v1/search", json={"query": "marker of document part", "top_k": 100, "spaces": [SPACE]})
        if not self.good(answer, 200):
            self._before = None
            return
        found = answer.json()
        reading = read(found, self.record, begun)
        self._seen |= reading.keys()
        for gone in self._seen - reading.keys():
            self.record.complain(f"{gone} disappeared at epoch {found['epoch']} of {found['index']}")
        self._remember(found["epoch"], reading, begun)
        self.record.counts["answers"] += 1
        self.record.counts[f"answers of {found['index']}"] += 1

    def _remember(self, epoch: int, reading: Reading, begun: datetime) -> None:
        with self.record.lock:
            known = self.record.at_epoch.setdefault(epoch, reading)
            if known != reading:
                self.record.wrong.append(f"epoch {epoch} was read as {known} and as {reading}")
            if self._before is not None and self._before[1] == epoch:
                # Between two answers of one epoch nothing was published: any moment there belongs to it.
                self.record.at_time.append((self._before[0] + (begun - self._before[0]) / 2, reading))
        self._before = (datetime.now(UTC), epoch, reading)


class Historian(Actor):
    """Asks about the past, and compares with what was recorded then."""

    pause_s = 0.15

    def act(self, http: httpx.Client) -> None:
        """One epoch, or one moment."""
        with self.record.lock:
            epochs, times = list(self.record.at_epoch), list(self.record.at_time)
        if times and self.chance.random() < 0.4:
            moment, expected = self.chance.choice(times)
            self.compare(http, moment.isoformat(), expected)
        elif epochs:
            epoch = self.chance.choice(epochs)
            self.compare(http, f"epoch:{epoch}", self.record.at_epoch[epoch])

    def compare(self, http: httpx.Client, as_of: str, expected: Reading) -> None:
        """The past must read as it was recorded."""
        asked = {"query": "marker of document part", "top_k": 100, "spaces": [SPACE], "as_of": as_of}
        begun = datetime.now(UTC)
        answer = http.post("/v1/search", json=asked)
        if not self.good(answer, 200):
            return
        told = read(answer.json(), self.record, begun)
        if told != expected:
            self.record.complain(f"as of {as_of}: {told}; recorded was {expected}")
        self.record.counts["questions about the past"] += 1


class Administrator(Actor):
    """Builds another index, lets it go live, sometimes goes back, drops what is retired; again and again."""

    pause_s = 0.5

    def act(self, http: httpx.Client) -> None:
        """The next thing to do, by the state of the indexes."""
        listed = http.get("/v1/indexes")
        if not self.good(listed, 200):
            return
        by_state: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for index in listed.json()["items"]:
            by_state[index["state"]].append(index)
        if by_state["building"]:
            return
        if by_state["ready"]:
            self._order(http, "promote", by_state["ready"][0]["id"], "promotions")
        elif by_state["retired"] and self.chance.random() < 0.4:
            self._order(http, "rollback", by_state["live"][0]["id"], "index rollbacks")
        elif by_state["retired"]:
            self.good(http.delete(f"/v1/indexes/{by_state['retired'][0]['id']}"), 202, 409)
        else:
            tokens = self.chance.choice([48, 64, 256])
            self.good(http.post("/v1/reindex", json={"chunking": {"max_tokens": tokens, "min_tokens": 0}}), 202, 409)

    def _order(self, http: httpx.Client, what: str, index: int, counted: str) -> None:
        answer = http.post(f"/v1/reindex/{index}/{what}", headers={"Prefer": "wait=20"})
        if self.good(answer, 200, 202, 409) and answer.status_code == 200:
            self.record.counts[counted] += 1


def read(found: dict[str, Any], record: Record, asked_at: datetime) -> Reading:
    """What an answer shows of the documents that are never deleted; complains of anything that must not be.

    `asked_at` is when the question was sent: what had been deleted before must not be shown.
    """
    versions: dict[str, set[int]] = defaultdict(set)
    names: dict[str, str] = {}
    parts: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for hit in found["results"]:
        document = hit["document_id"]
        versions[document].add(hit["version"])
        for name, part, marker in _MARKER.findall(hit["text"]):
            names[document] = name
            parts[document].append((part, marker))
        gone = record.deleted.get(document)
        if gone is not None and asked_at > gone:
            record.complain(f"{document} was deleted at {gone}, and shown to a question of {asked_at}")
    for document, numbers in versions.items():
        markers = {marker for _, marker in parts[document]}
        shown = sorted(part for part, _ in parts[document])
        if len(numbers) > 1 or len(markers) > 1:
            record.complain(
                f"{document}: versions {sorted(numbers)}, markers {sorted(markers)}, epoch {found['epoch']}"
            )
        if shown != [str(part) for part in range(PARTS)]:
            record.complain(f"{document}: parts {shown} of version {sorted(numbers)}, epoch {found['epoch']}")
    return {
        document: (min(numbers), frozenset(marker for _, marker in parts[document]))
        for document, numbers in versions.items()
        if names.get(document, "").startswith("d")
    }
