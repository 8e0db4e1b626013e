"""The company's rule of reading in words of its own: what an answer is judged by. It knows no policy and no group."""

from tests.security.enterprise.organisation import Employee, Organisation, Paper

CLASSIFICATION = {
    "post": 0,
    "policy": 1,
    "chat": 1,
    "ticket": 1,
    "order": 2,
    "client": 2,
    "vendor": 2,
    "record": 2,
    "resume": 2,
}
"""0 public, 1 internal, 2 confidential, 3 restricted."""


def classification(paper: Paper) -> int:
    """By kind; what the management talks about is restricted."""
    return 3 if paper.departments == ("Management",) else CLASSIFICATION[paper.kind]


def clearance(employee: Employee) -> int:
    """Seniors are cleared for more; HR and Finance work with what is confidential."""
    if employee.rank >= 12:
        return 3
    return 2 if employee.rank >= 10 or employee.department in ("HR", "Finance", "Sales") else 1


def may_read(company: Organisation, reader: str, paper: Paper) -> bool:
    """Whether this employee may read this paper."""
    who = company.staff[reader]
    if clearance(who) < classification(paper):
        return False
    match paper.kind:
        case "policy" | "post":
            return True
        case "chat":
            return who.department in paper.departments or reader in paper.people
        case "ticket":
            return who.department == "Information Technology" or reader in paper.people
        case "order":
            return who.department in ("Sales", "Finance")
        case "client" | "vendor":
            return who.department in ("Sales", "Finance", "Business Development") or reader in paper.people
        case "resume":
            return who.department == "HR"
        case "record":
            (subject,) = paper.people
            same_boss = who.boss is not None and who.boss == company.staff[subject].boss and reader != subject
            return not same_boss and (
                who.department == "HR" or reader == subject or reader in company.line_above(subject)
            )
    raise AssertionError(paper.kind)
