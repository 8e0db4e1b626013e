"""Traces in SQL: the path of each search and answer, by ids and places; the only text is what its asker wrote."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kbcore.domain.ids import first_id_at
from kbcore.domain.trace import (
    ConflictKind,
    ConflictShown,
    Prompted,
    Trace,
    TracedAnswer,
    TracedConflict,
    TracedPassage,
    TraceKind,
    TraceOutcome,
)

# What is asked about a document that is being erased is not kept: between the document's end and the emptying of
# questions comes `await_recorded`, so that this row is found there, or this statement sees the end.
_INSERT = sa.text("""
    INSERT INTO traces (id, trace_id, user_id, acting, kind, question, epoch, generation_id, model, prompt_hash, path)
    SELECT :id, :trace_id, u.id, :acting, :kind, CASE WHEN gone THEN '' ELSE :question END, :epoch, :generation_id,
        :model, :prompt_hash, CASE WHEN gone THEN jsonb_set(:path, '{asked}', '{}') ELSE :path END
    FROM (SELECT EXISTS (SELECT FROM documents WHERE id = ANY(:documents) AND erased_at IS NOT NULL) AS gone) g, users u
    WHERE u.id = :user_id FOR KEY SHARE OF u
""").bindparams(sa.bindparam("path", type_=JSONB), sa.bindparam("documents", type_=ARRAY(sa.Text)))
_COMPLETE = sa.text("""
    UPDATE traces SET model = :model, prompt_hash = :prompt_hash, path = path || jsonb_build_object('answer', :answer)
    WHERE id = :id
""").bindparams(sa.bindparam("answer", type_=JSONB))
_SHOWN = "id, trace_id, user_id, acting, kind, question, epoch, generation_id, path, created_at"
_VISIBLE = sa.text(f"""
    SELECT {_SHOWN} FROM traces
    WHERE (trace_id = :trace_id OR id = :trace_id) AND (CAST(:owner AS text) IS NULL OR user_id = :owner)
    ORDER BY created_at DESC, id DESC LIMIT :limit
""")
_OF_USER = sa.text(f"SELECT {_SHOWN} FROM traces WHERE user_id = :user_id AND id > :after ORDER BY id LIMIT :limit")
_PRUNE = sa.text("DELETE FROM traces WHERE id IN (SELECT id FROM traces WHERE id < :first ORDER BY id LIMIT :limit)")


def insert(connection: Connection, trace: Trace) -> bool:
    """Keep a trace; False if its asker has been removed meanwhile. From then on it can't be, until the commit."""
    prompted = _last_prompt(trace.answer)
    values = {
        "id": trace.id,
        "trace_id": trace.trace_id,
        "user_id": trace.user_id,
        "acting": trace.acting,
        "kind": trace.kind,
        "question": trace.question,
        "epoch": trace.epoch,
        "generation_id": trace.generation_id,
        "model": None if trace.answer is None else trace.answer.model,
        "prompt_hash": None if prompted is None else prompted.prompt_hash,
        "path": _path(trace),
        "documents": list(dict.fromkeys((*trace.documents, *trace.refused_documents))),
    }
    return connection.execute(_INSERT, values).rowcount == 1


def complete(connection: Connection, trace_row_id: str, answer: TracedAnswer) -> bool:
    """Add how the answer ended; False if the trace was removed, with its asker, meanwhile."""
    prompted = _last_prompt(answer)
    prompt_hash = None if prompted is None else prompted.prompt_hash
    values = {"id": trace_row_id, "model": answer.model, "prompt_hash": prompt_hash, "answer": asdict(answer)}
    return connection.execute(_COMPLETE, values).rowcount == 1


def visible(connection: Connection, trace_id: str, *, owner: str | None, limit: int) -> list[Trace]:
    """The traces with this trace id, or this id of their own, newest first; `owner` = only this user's."""
    rows = connection.execute(_VISIBLE, {"trace_id": trace_id, "owner": owner, "limit": limit})
    return [_trace(row) for row in rows]


def of_user(connection: Connection, user_id: str, *, after: str = "", limit: int) -> list[Trace]:
    """The traces of a user by id (oldest first), those after the id `after`."""
    rows = connection.execute(_OF_USER, {"user_id": user_id, "after": after, "limit": limit})
    return [_trace(row) for row in rows]


def await_recorded(connection: Connection) -> None:
    """Wait until every trace that is being written now has been; end the transaction soon, searches wait for it."""
    connection.execute(sa.text("LOCK TABLE traces IN SHARE MODE"))


def prune(connection: Connection, *, before: datetime, limit: int) -> int:
    """Remove at most `limit` traces made before a moment, the oldest first; returns how many. Ids sort by time."""
    return connection.execute(_PRUNE, {"first": first_id_at(before), "limit": limit}).rowcount


def _last_prompt(answer: TracedAnswer | None) -> Prompted | None:
    return answer.prompts[-1] if answer is not None and answer.prompts else None


def _path(trace: Trace) -> dict[str, Any]:
    return {
        "asked": dict(trace.asked),
        "history": None if trace.history is None else [list(each) for each in trace.history],
        "at": trace.at.isoformat(),
        "as_of_past": trace.as_of_past,
        "replaced_too": trace.replaced_too,
        "dated": trace.dated,
        "embedding": trace.embedding,
        "analyzer": trace.analyzer,
        "legs": {leg: list(ids) for leg, ids in trace.legs.items()},
        "refused": list(trace.refused),
        "passages": [asdict(passage) for passage in trace.passages],
        "took_ms": dict(trace.took_ms),
        "answer": None if trace.answer is None else asdict(trace.answer),
    }


def _trace(row: Row[tuple[object, ...]]) -> Trace:
    path: Mapping[str, Any] = row.path
    history = path["history"]
    return Trace(
        id=row.id,
        trace_id=row.trace_id,
        user_id=row.user_id,
        acting=row.acting,
        kind=TraceKind(row.kind),
        question=row.question,
        asked=path["asked"],
        history=None if history is None else tuple((turn, given) for turn, given in history),
        epoch=row.epoch,
        at=datetime.fromisoformat(path["at"]),
        as_of_past=path["as_of_past"],
        replaced_too=path["replaced_too"],
        dated=path["dated"],
        generation_id=row.generation_id,
        embedding=path["embedding"],
        analyzer=path["analyzer"],
        legs={leg: tuple(ids) for leg, ids in path["legs"].items()},
        refused=tuple(path["refused"]),
        passages=tuple(
            TracedPassage(**{**passage, "signs": tuple(passage.get("signs", ()))}) for passage in path["passages"]
        ),
        took_ms=path["took_ms"],
        answer=None if path["answer"] is None else _answer(path["answer"]),
        created_at=row.created_at,
    )


def _answer(stored: Mapping[str, Any]) -> TracedAnswer:
    prompts = tuple(
        Prompted(
            **{
                **each,
                "sources": tuple(each["sources"]),
                "context": tuple(each["context"]),
                "conflict": tuple((number, day) for number, day in each.get("conflict", ())),
            }
        )
        for each in stored["prompts"]
    )
    cited = tuple((chunk, document, version, start, end) for chunk, document, version, start, end in stored["cited"])
    conflict = None if stored.get("conflict") is None else conflict_of(stored["conflict"])
    made = {"outcome": TraceOutcome(stored["outcome"]), "prompts": prompts, "cited": cited, "conflict": conflict}
    return TracedAnswer(**{**stored, **made, "named": tuple(stored["named"])})


def conflict_of(stored: Mapping[str, Any]) -> TracedConflict:
    """From its fields as JSON."""
    newer, older = stored["chunks"]
    return TracedConflict(ConflictKind(stored["kind"]), ConflictShown(stored["shown"]), (newer, older))
