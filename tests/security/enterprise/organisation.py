"""A company of 1,260 people and its papers, read from the shared corpus `permissions/enterprisebench`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pypdfium2

_CHATS = {
    "Engg Team Conv": ("Engineering", "Information Technology"),
    "SDE conv": ("Engineering",),
    "Finance Team Conv": ("Finance",),
    "Hr Conversation": ("HR",),
    "Manage Team Conv": ("Management",),
    "Sales Team Conv": ("Sales",),
}
"""Whose conversations a file holds: departments."""
_RECORD = (
    "Name",
    "category",
    "Level",
    "description",
    "Experience",
    "Salary",
    "Performance Rating",
    "Total Leaves Taken",
)
_PAGES = 3
"""Read of a PDF: enough to be found by."""


@dataclass(frozen=True, slots=True)
class Employee:
    """A person. `rank` is the number in the level (EN09 → 9), `boss` an id or None, `reports` the ids below."""

    id: str
    department: str
    level: str
    boss: str | None
    reports: tuple[str, ...]

    @property
    def rank(self) -> int:
        """9 to 14, higher is more senior."""
        return int(self.level[-2:])


@dataclass(frozen=True, slots=True)
class Paper:
    """A document. `kind` and what it is about (`departments`, `people`) decide who may read it."""

    kind: str
    title: str
    text: str
    departments: tuple[str, ...] = ()
    people: tuple[str, ...] = ()


@dataclass(frozen=True)
class Organisation:
    """Everybody and everything."""

    staff: dict[str, Employee]
    papers: list[Paper] = field(default_factory=list)

    def line_above(self, person: str) -> list[str]:
        """The boss, the boss's boss, and so on."""
        found: list[str] = []
        boss = self.staff[person].boss
        while boss is not None and boss not in found:
            found.append(boss)
            boss = self.staff[boss].boss
        return found

    def peers(self, person: str) -> list[str]:
        """Who has the same boss."""
        boss = self.staff[person].boss
        return [] if boss is None else [each for each in self.staff[boss].reports if each != person]


def read_organisation(data: Path, every: int = 1) -> Organisation:
    """All people, and every so-many-th paper of each kind. `data` is the folder of the shared corpora."""
    folder = data / "permissions" / "enterprisebench"
    rows = [json.loads(line) for line in (folder / "derived" / "org_chart.jsonl").read_text().splitlines()]
    staff = {
        row["emp_id"]: Employee(
            row["emp_id"], row["category"], row["Level"], row["reports_to"], tuple(row["reportees"] or ())
        )
        for row in rows
    }
    # The chart is followed upwards: who reports to whom, not who is listed below whom.
    below: dict[str, list[str]] = {}
    for employee in staff.values():
        if employee.boss is not None:
            below.setdefault(employee.boss, []).append(employee.id)
    staff = {
        each.id: Employee(each.id, each.department, each.level, each.boss, tuple(below.get(each.id, ())))
        for each in staff.values()
    }
    by_kind: dict[str, list[Paper]] = {}
    for paper in _papers(folder, every):
        by_kind.setdefault(paper.kind, []).append(paper)
    return Organisation(staff, [paper for papers in by_kind.values() for paper in papers])


def _papers(folder: Path, every: int) -> Iterator[Paper]:
    for path in sorted((folder / "Policy_Documents").glob("*.pdf"))[::every]:
        yield Paper("policy", path.stem, _text(path))
    for post in _rows(folder / "posts.first250.json")[::every]:
        yield Paper("post", post["Title"], post["Post"])
    for path in sorted((folder / "Collaboration_tools").glob("*.json")):
        departments = _CHATS[path.name.partition(".")[0]]
        for chat in _rows(path)[::every]:
            both = (chat["metadata"]["emp1_id"], chat["metadata"]["emp2_id"])
            yield Paper("chat", f"Chat {chat['conversation_id']}", chat["text"], departments, both)
    for ticket in _rows(folder / "IT_Service_Management" / "it_tickets.json")[::every]:
        text = f"{ticket['Issue']}\n\n{ticket['Resolution']}"
        yield Paper("ticket", f"IT ticket {ticket['id']}", text, people=(ticket["raised_by_emp_id"],))
    people = folder / "Human_Resource_Management"
    for person in _rows(people / "Employees" / "employees.json")[::every]:
        text = "\n\n".join(f"{name}: {person[name]}" for name in _RECORD)
        yield Paper("record", f"Personnel record {person['emp_id']}", text, people=(person["emp_id"],))
    for path in sorted((people / "resumes").glob("*.pdf"))[::every]:
        yield Paper("resume", f"Resume {path.stem}", _text(path))
    for path in sorted((folder / "Customer_orders").glob("*.pdf"))[::every]:
        yield Paper("order", path.stem.replace("_", " "), _text(path))
    for kind in ("client", "vendor"):
        for row in _rows(folder / "Business_and_Management" / f"{kind}s.json")[::every]:
            text = "\n\n".join(f"{name}: {value}" for name, value in row.items() if value)
            people_named = tuple(str(row[name]) for name in row if name.endswith("representative_employee"))
            yield Paper(kind, f"{kind.title()} {row['business_name']}", text, people=people_named)


def _rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def _text(path: Path) -> str:
    document = pypdfium2.PdfDocument(path)
    try:
        pages = [document[number].get_textpage().get_text_range() for number in range(min(len(document), _PAGES))]
    finally:
        document.close()
    return "\n\n".join(pages)
