"""Which jobs somebody sees, now: of documents, if it may read them and made the job or may change them; of purges."""

from dataclasses import fields, replace

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from kbcore.domain.job import Job, JobKind, JobState
from kbcore.domain.principal import Caller
from kbcore.metadata.access import IN_CHARGE, PRINCIPALS_CTE, READABLE, asker
from kbcore.permissions.policy import Role

WITHHELD_DETAIL = "Only readers of the document are told more."
"""What an administrator reads in place of an error's words, which may quote a document that it may not read."""

_COLUMNS = ", ".join(f"j.{field.name}" for field in fields(Job))


def _has_role(policy: str, role: Role) -> str:
    return f"{policy} IN (SELECT policy_id FROM readable_policies WHERE rank >= {role.rank})"


# Having made a job gives no right to the document that it is about: it is seen as long as that may be read. What a
# purge counts includes hidden documents, so it is for those who may order one. All others are an administrator's: also
# its own are not seen any more by whom that right was taken, nor by who acts for it.
_VISIBLE = f"""
    WITH RECURSIVE {PRINCIPALS_CTE}
    SELECT {_COLUMNS}, j.document_id IS NULL OR COALESCE({READABLE}, false) AS told
    FROM jobs j LEFT JOIN documents d ON d.id = j.document_id
    LEFT JOIN spaces s ON s.id = COALESCE(d.space_id, j.space_id)
    WHERE (
        {IN_CHARGE}
        OR CASE
            WHEN j.document_id IS NOT NULL THEN {READABLE} AND (
                j.created_by = :user_id OR {_has_role("COALESCE(d.own_policy_id, s.policy_id)", Role.EDITOR)})
            WHEN j.kind = '{JobKind.PURGE}' THEN {_has_role("s.policy_id", Role.MANAGER)}
        END
    )
"""
_ONE = sa.text(f"{_VISIBLE} AND j.id = :job_id")
_PAGE = sa.text(f"""
    {_VISIBLE}
    AND (CAST(:state AS text) IS NULL OR j.state = :state) AND (CAST(:after AS text) IS NULL OR j.id < :after)
    ORDER BY j.id DESC LIMIT :limit
""")


def list_visible(
    connection: Connection, caller: Caller, *, state: JobState | None = None, after: str | None = None, limit: int
) -> list[Job]:
    """The jobs that this caller sees, newest first; `after` is the last id of the page before."""
    asked = {**asker(caller), "state": state, "after": after, "limit": limit}
    return [_job(row) for row in connection.execute(_PAGE, asked)]


def get_visible(connection: Connection, caller: Caller, job_id: str) -> Job | None:
    """One job; None for unknown and hidden alike."""
    row = connection.execute(_ONE, {**asker(caller), "job_id": job_id}).one_or_none()
    return None if row is None else _job(row)


def _job(row: Row[tuple[object, ...]]) -> Job:
    values = {field.name: row._mapping[field.name] for field in fields(Job)}
    job = Job(**{**values, "kind": JobKind(row.kind), "state": JobState(row.state)})
    if row.told or job.error_code is None:
        return job
    return replace(job, error=WITHHELD_DETAIL, error_page=None)
