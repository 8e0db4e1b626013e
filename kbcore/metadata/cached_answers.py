"""Answers that may be given again. A row is only a proposal: who gives it confirms every source first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kbcore.domain.document import FOREVER
from kbcore.domain.ids import new_id

_LIVE = sa.text("""
    SELECT meaning, answer FROM cached_answers
    WHERE signature = :signature AND terms = :terms AND expires_at > now() ORDER BY id DESC LIMIT 8
""").bindparams(sa.bindparam("terms", type_=ARRAY(sa.BigInteger)))

# An erasure ends the document under a lock on its row, and looks for answers later: with a share of that lock, this row
# is either seen by it, or not written.
_SOURCES = sa.text("""
    SELECT id FROM documents WHERE id = ANY(:documents) AND deleted_at IS NULL AND erased_at IS NULL
    ORDER BY id FOR SHARE
""").bindparams(sa.bindparam("documents", type_=ARRAY(sa.Text)))

# The answer ends with the state that it was given in: at the latest when a version comes into force or ceases to be.
_KEEP = sa.text(f"""
    WITH ends AS (
        SELECT LEAST(
            now() + make_interval(mins => :minutes),
            (SELECT min(effective_from) FROM versions WHERE valid_to = {FOREVER} AND effective_from > :at),
            (SELECT min(effective_to) FROM versions WHERE valid_to = {FOREVER} AND effective_to > :at)
        ) AS at
    )
    INSERT INTO cached_answers (id, signature, meaning, terms, answer, documents, expires_at)
    SELECT :id, :signature, :meaning, :terms, :answer, :documents, ends.at FROM ends
    WHERE ends.at > now() AND (SELECT value FROM epoch) = :epoch
""").bindparams(
    sa.bindparam("terms", type_=ARRAY(sa.BigInteger)),
    sa.bindparam("answer", type_=JSONB),
    sa.bindparam("documents", type_=ARRAY(sa.Text)),
)
_PRUNE = sa.text("DELETE FROM cached_answers WHERE expires_at <= now()")
_ABOUT = "documents && :documents"
_FORGET = sa.text(f"DELETE FROM cached_answers WHERE {_ABOUT}").bindparams(
    sa.bindparam("documents", type_=ARRAY(sa.Text))
)
_COUNT = sa.text(f"SELECT count(*) FROM cached_answers WHERE {_ABOUT}").bindparams(
    sa.bindparam("documents", type_=ARRAY(sa.Text))
)


_ROUNDING = 1e-4
"""What float32 may lack of a cosine of 1."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a question is found by: SHA-256 of all that must be equal, its term ids, its vector float32[dimension]."""

    signature: bytes
    terms: tuple[int, ...]
    meaning: NDArray[np.float32]


def nearest(connection: Connection, question: Question, *, least: float) -> Mapping[str, Any] | None:
    """The kept answer to the question nearest in meaning, if its cosine is at least `least`."""
    rows = connection.execute(_LIVE, {"signature": question.signature, "terms": sorted(question.terms)}).all()
    if not rows:
        return None
    cosines = [float(np.frombuffer(row.meaning, dtype="<f4") @ question.meaning) for row in rows]
    best = max(range(len(rows)), key=cosines.__getitem__)
    answer: Mapping[str, Any] = rows[best].answer
    return answer if cosines[best] >= least - _ROUNDING else None


def keep(
    connection: Connection,
    question: Question,
    answer: Mapping[str, Any],
    documents: Sequence[str],
    *,
    epoch: int,
    at: datetime,
    minutes: int,
) -> None:
    """Keep an answer that was found at `epoch` and `at`, if that is still how things stand and its documents do."""
    connection.execute(_PRUNE)
    wanted = sorted(set(documents))
    if list(connection.execute(_SOURCES, {"documents": wanted}).scalars()) != wanted:
        return
    connection.execute(
        _KEEP,
        {
            "id": new_id(),
            "signature": question.signature,
            "meaning": question.meaning.astype("<f4").tobytes(),
            "terms": sorted(question.terms),
            "answer": dict(answer),
            "documents": wanted,
            "minutes": minutes,
            "epoch": epoch,
            "at": at,
        },
    )


def prune(connection: Connection) -> int:
    """Remove what has expired; returns how many."""
    return connection.execute(_PRUNE).rowcount


def forget(connection: Connection, documents: Sequence[str]) -> None:
    """Remove every answer that cites, names or was written from one of these."""
    connection.execute(_FORGET, {"documents": list(documents)})


def count(connection: Connection, document_id: str) -> int:
    """How many kept answers rest on a document."""
    return int(connection.execute(_COUNT, {"documents": [document_id]}).scalar_one())
