"""Filter expressions for Milvus, composed from integers, chunk keys and fixed field names only.

Milvus Lite has no expression templates and pymilvus does not escape keys, so nothing else may ever enter an expression.
Operators are lower case and there is no `not (...)`: both are read differently by some servers.
"""

from collections.abc import Collection

from kbcore.domain.document import FOREVER
from kbcore.vectors.interface import VectorFilter
from kbcore.vectors.rows import check_keys

KEY = "id"
DENSE = "dense"
SPARSE = "sparse"
DOCUMENT = "document_key"
SPACE = "space_key"
POLICY = "policy_id"
LEVEL = "level"
VALID_FROM = "valid_from"
VALID_TO = "valid_to"

STAMP_FIELDS = (DOCUMENT, SPACE, POLICY, LEVEL, VALID_FROM, VALID_TO)


def readable(where: VectorFilter) -> str:
    """The expression of a search's filter. Raises `ValueError` if it matches nothing: then there is nothing to ask."""
    parts = [
        _one_of(POLICY, where.scope.policy_ids),
        f"{LEVEL} <= {_integer(where.scope.clearance)}",
        f"{VALID_FROM} <= {_integer(where.epoch)}",
    ]
    if not where.history:
        parts.append(f"{VALID_TO} > {_integer(where.epoch)}")
    if where.space_keys is not None:
        parts.append(_one_of(SPACE, where.space_keys))
    if where.document_keys is not None:
        parts.append(_one_of(DOCUMENT, where.document_keys))
    return " and ".join(parts)


def keys(chunk_ids: Collection[str]) -> str:
    """Rows with these keys. Raises `ValueError` for an empty set or anything that is not a chunk key."""
    if not chunk_ids:
        raise ValueError("an empty set of keys selects nothing; do not ask")
    check_keys(chunk_ids)
    quoted = ", ".join(f'"{key}"' for key in sorted(set(chunk_ids)))
    return f"{KEY} in [{quoted}]"


def of_document(document_key: int) -> str:
    """Rows of one document."""
    return f"{DOCUMENT} == {_integer(document_key)}"


def begun_after(epoch: int) -> str:
    """Rows of publications later than `epoch`."""
    return f"{VALID_FROM} > {_integer(epoch)}"


def ended_after(epoch: int) -> str:
    """Rows that were valid at `epoch` and have been closed since."""
    return f"{VALID_FROM} <= {_integer(epoch)} and {VALID_TO} > {_integer(epoch)} and {VALID_TO} < {FOREVER}"


def everything() -> str:
    """All rows, as an expression that is not empty: an empty one must never be sent by mistake."""
    return f"{VALID_TO} >= 0"


def _one_of(field: str, values: Collection[int]) -> str:
    if not values:
        raise ValueError(f"an empty set of {field} selects nothing; do not ask")
    return f"{field} in [{', '.join(_integer(value) for value in sorted(values))}]"


def _integer(value: int) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"only integers enter an expression, not {type(value).__name__}")
    return str(int(value))
