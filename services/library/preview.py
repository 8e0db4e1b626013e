"""What a policy would change before it is set, and what decided about somebody's access."""

from sqlalchemy import Connection

from kbcore.domain.document import Document
from kbcore.metadata.access_preview import INHERITING, Change, Direction, changes, extending_policies
from kbcore.metadata.policies import read_policy
from kbcore.metadata.spaces import policy_of_space
from kbcore.permissions.policy import Policy, policy_that_counts


def preview_space(connection: Connection, space_id: str, policy: Policy, *, limit: int) -> dict[Direction, Change]:
    """Who gains and who loses which documents if the space had this policy."""
    policy_id = policy_of_space(connection, space_id)
    present = read_policy(connection, policy_id)
    extending = {own: read_policy(connection, own) for own in extending_policies(connection, space_id, policy_id)}

    def counting(of_space: Policy) -> dict[int, Policy]:
        return {INHERITING: of_space} | {own: each.together_with(of_space) for own, each in extending.items()}

    return changes(connection, counting(present), counting(policy), space_id=space_id, limit=limit)


def preview_document(
    connection: Connection, document: Document, policy: Policy | None, *, limit: int
) -> dict[Direction, Change]:
    """Who gains and who loses the document if it had this policy of its own; None = if it had its space's again."""
    of_space = read_policy(connection, policy_of_space(connection, document.space_id))
    own = None if document.own_policy_id is None else read_policy(connection, document.own_policy_id)
    before, after = policy_that_counts(own, of_space), policy_that_counts(policy, of_space)
    return changes(connection, {INHERITING: before}, {INHERITING: after}, document_id=document.id, limit=limit)
