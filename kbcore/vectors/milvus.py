"""The vector store on Milvus: Lite's own server for one machine, standalone or distributed for many (ADR 0008)."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from threading import Lock
from typing import Any, TypeVar

from kbcore.domain.document import FOREVER
from kbcore.errors import Unavailable
from kbcore.vectors import milvus_filter as field
from kbcore.vectors.interface import Vector, VectorFilter, VectorHit, VectorRow, VectorStamp
from kbcore.vectors.milvus_connection import PATIENCE_S, READ_TIMEOUT_S, WRITE_TIMEOUT_S, MilvusConnection
from kbcore.vectors.milvus_schema import METRIC, IndexProfile, collection_schema, index_params
from kbcore.vectors.rows import RESERVED_TERM, check_rows, check_terms, check_vector

Item = TypeVar("Item")

_WRITE_BATCH = 500  # rows in one call: 384 floats each make 0.8 MB
_SCAN_BATCH = 5000
_VISIBLE_WITHIN_S = 15.0  # a server's bounded staleness is 5 s

# Milvus Lite takes one writer: parallel writes cost acknowledged rows at a crash. One per process here, and the
# embedded server runs with one worker thread.
_WRITING = Lock()


class MilvusStore:
    """`VectorStore` on Milvus Lite's server or on Milvus 2.6.5 and later.

    On Lite the dense search is exact. On a server it is HNSW, widened until enough hits come back; there a write
    returns when ordinary searches see it.
    """

    def __init__(
        self, uri: str, *, token: str = "", profile: IndexProfile | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        """Open nothing yet.

        `uri` is `http://host:port` or `unix:path`. `profile` overrides what the server's version suggests. An
        unreachable server is waited for `patience_s` seconds in each call.
        """
        self._connection = MilvusConnection(uri, token, profile, patience_s)
        self._dimensions: dict[str, int] = {}

    @property
    def profile(self) -> IndexProfile:
        """How this server is used; asks it for its version at first."""
        return self._connection.profile

    def create(self, collection: str, dimension: int) -> None:
        """Create, index and load. Finishes what an interrupted creation left; `ValueError` for another dimension."""
        profile = self.profile

        def create(client: Any) -> None:
            if not client.has_collection(collection, timeout=READ_TIMEOUT_S):
                client.create_collection(
                    collection,
                    schema=collection_schema(dimension),
                    consistency_level=profile.consistency,
                    timeout=WRITE_TIMEOUT_S,
                )
            missing = {field.DENSE, field.SPARSE} - set(client.list_indexes(collection))
            if missing:
                # Not waited for, which takes a second: there are no rows yet, and loading waits for what it needs.
                client.create_index(collection, index_params(profile, missing), timeout=WRITE_TIMEOUT_S, sync=False)
            client.load_collection(collection, timeout=WRITE_TIMEOUT_S)

        with _WRITING:
            self._connection.run(create)
        existing = self._dimension(collection)
        if existing != dimension:
            raise ValueError(f"collection {collection} has dimension {existing}, not {dimension}")

    def drop(self, collection: str) -> None:
        """Remove a collection."""
        with _WRITING:
            self._connection.run(lambda client: client.drop_collection(collection, timeout=WRITE_TIMEOUT_S))
        self._dimensions.pop(collection, None)

    def load(self, collection: str) -> None:
        """Load and warm a collection. Searches load it themselves, but the first of them then takes long on Lite."""
        self._connection.run(lambda client: client.load_collection(collection, timeout=WRITE_TIMEOUT_S))
        self._warm(collection)

    def upsert(self, collection: str, rows: Sequence[VectorRow]) -> None:
        """Write rows in batches; of rows with the same key the last one counts."""
        check_rows(rows, self._dimension(collection))
        latest = {row.chunk_id: row for row in rows}
        self._write(collection, [_entity(row) for row in latest.values()], whole=True)

    def close(self, collection: str, chunk_ids: Collection[str], valid_to: int) -> None:
        """Set `valid_to` by partial upserts, which keep the vectors."""
        present = self._present(collection, chunk_ids)
        self._write(collection, [{field.KEY: key, field.VALID_TO: valid_to} for key in present], whole=False)

    def restamp(self, collection: str, document_key: int, *, policy_id: int, level: int) -> None:
        """Set policy and level by partial upserts, which keep the vectors."""
        keys = [row[field.KEY] for row in self._rows(collection, field.of_document(document_key), [field.KEY])]
        changes = {field.POLICY: policy_id, field.LEVEL: int(level)}
        self._write(collection, [{field.KEY: key, **changes} for key in keys], whole=False)

    def delete(self, collection: str, chunk_ids: Collection[str]) -> None:
        """Remove rows. On a server searches may return them for some seconds more; SQL no longer confirms them."""
        for batch in _batches(sorted(set(chunk_ids)), _WRITE_BATCH):
            delete = partial(_delete, collection=collection, chosen=field.keys(batch))
            with _WRITING:
                self._connection.run(delete, collection=collection)

    def delete_document(self, collection: str, document_key: int) -> int:
        """Remove a document's rows, found by a scan with strong consistency."""
        keys = [row[field.KEY] for row in self._rows(collection, field.of_document(document_key), [field.KEY])]
        self.delete(collection, keys)
        return len(keys)

    def undo_after(self, collection: str, epoch: int) -> int:
        """Remove what began after `epoch`, re-open what ended after it."""
        begun = [row[field.KEY] for row in self._rows(collection, field.begun_after(epoch), [field.KEY])]
        self.delete(collection, begun)
        ended = [row[field.KEY] for row in self._rows(collection, field.ended_after(epoch), [field.KEY])]
        self._write(collection, [{field.KEY: key, field.VALID_TO: FOREVER} for key in ended], whole=False)
        return len(begun) + len(ended)

    def search_dense(self, collection: str, query: Vector, where: VectorFilter, limit: int) -> list[VectorHit]:
        """Nearest by cosine. An approximate index that returns too few is asked again with a larger width."""
        check_vector(query, self._dimension(collection))
        if where.matches_nothing or limit < 1:
            return []
        hits: list[VectorHit] = []
        for width in self.profile.widths_for(where.share, limit):
            params = self.profile.search_params(width, limit)
            hits = self._search(collection, field.DENSE, query, where, limit, params)
            if len(hits) >= limit:
                break
        return hits

    def search_sparse(
        self, collection: str, terms: Mapping[int, float], where: VectorFilter, limit: int
    ) -> list[VectorHit]:
        """Highest inner product."""
        check_terms(terms)
        if where.matches_nothing or limit < 1 or not terms:
            return []
        hits = self._search(collection, field.SPARSE, dict(terms), where, limit, {"metric_type": METRIC})
        return [hit for hit in hits if hit.score > 0]

    def scan(self, collection: str) -> Iterator[tuple[str, VectorStamp]]:
        """Every row, page by page, with strong consistency."""
        for row in self._rows(collection, field.everything(), [field.KEY, *field.STAMP_FIELDS]):
            yield row[field.KEY], VectorStamp(*(row[name] for name in field.STAMP_FIELDS))

    def count(self, collection: str, document_key: int | None = None) -> int:
        """Exact, with strong consistency."""
        chosen = "" if document_key is None else field.of_document(document_key)
        answer = self._connection.run(
            lambda client: client.query(
                collection, chosen, output_fields=["count(*)"], consistency_level="Strong", timeout=READ_TIMEOUT_S
            ),
            collection=collection,
        )
        return int(answer[0]["count(*)"])

    def present(self, collection: str, chunk_ids: Collection[str]) -> set[str]:
        """Asked for by key, with strong consistency."""
        return set(self._present(collection, chunk_ids))

    def flush(self, collection: str) -> None:
        """Seal the growing segment and let the server index it."""
        with _WRITING:
            self._connection.run(lambda client: client.flush(collection, timeout=WRITE_TIMEOUT_S))
        self._warm(collection)

    def ping(self) -> None:
        """Ask the server for its version."""
        self._connection.run(lambda client: client.get_server_version(timeout=READ_TIMEOUT_S))

    def _dimension(self, collection: str) -> int:
        if collection not in self._dimensions:
            described = self._connection.run(
                lambda client: client.describe_collection(collection, timeout=READ_TIMEOUT_S)
            )
            dense = next(each for each in described["fields"] if each["name"] == field.DENSE)
            self._dimensions[collection] = int(dense["params"]["dim"])
        return self._dimensions[collection]

    def _search(
        self, collection: str, anns_field: str, query: Any, where: VectorFilter, limit: int, params: dict[str, Any]
    ) -> list[VectorHit]:
        found = self._connection.run(
            lambda client: client.search(
                collection,
                [query],
                anns_field=anns_field,
                filter=field.readable(where),
                limit=limit,
                output_fields=[field.KEY],
                search_params=params,
                consistency_level=self.profile.consistency,
                timeout=READ_TIMEOUT_S,
            ),
            collection=collection,
        )
        best = {hit[field.KEY]: float(hit["distance"]) for hit in reversed(found[0])}
        ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))
        return [VectorHit(key, score) for key, score in ranked[:limit]]

    def _warm(self, collection: str) -> None:
        """Let Lite build the sparse indexes of new segments now: it would do so in somebody's first search."""
        if self.profile.builds_sparse_late:
            self._connection.run(
                lambda client: client.search(
                    collection,
                    [{RESERVED_TERM: 1.0}],
                    anns_field=field.SPARSE,
                    filter=field.everything(),
                    limit=1,
                    output_fields=[field.KEY],
                    search_params={"metric_type": METRIC},
                    timeout=WRITE_TIMEOUT_S,
                ),
                collection=collection,
            )

    def _present(self, collection: str, chunk_ids: Collection[str]) -> list[str]:
        """The keys among these that exist; a partial upsert of a missing row would be refused."""
        present: list[str] = []
        for batch in _batches(sorted(set(chunk_ids)), _WRITE_BATCH):
            present += [row[field.KEY] for row in self._query(collection, field.keys(batch), [field.KEY], "Strong")]
        return present

    def _query(self, collection: str, chosen: str, output: list[str], consistency: str) -> list[dict[str, Any]]:
        """Rows by an expression that selects at most `_WRITE_BATCH` of them."""
        return list(
            self._connection.run(
                lambda client: client.query(
                    collection,
                    chosen,
                    output_fields=output,
                    limit=_WRITE_BATCH,
                    consistency_level=consistency,
                    timeout=READ_TIMEOUT_S,
                ),
                collection=collection,
            )
        )

    def _rows(self, collection: str, chosen: str, output: list[str]) -> Iterator[dict[str, Any]]:
        """All rows by an expression, page by page."""
        pages = self._connection.run(
            lambda client: client.query_iterator(
                collection,
                batch_size=_SCAN_BATCH,
                filter=chosen,
                output_fields=output,
                consistency_level="Strong",
                timeout=WRITE_TIMEOUT_S,
            ),
            collection=collection,
        )
        while page := self._connection.run(lambda _: pages.next()):
            yield from page
        pages.close()

    def _write(self, collection: str, entities: Sequence[dict[str, Any]], *, whole: bool) -> None:
        for batch in _batches(entities, _WRITE_BATCH):
            upsert = partial(_upsert, collection=collection, entities=list(batch), whole=whole)
            with _WRITING:
                self._connection.run(upsert)
        if entities and self.profile.waits_for_visibility:
            self._await_visible(collection, entities[-_WRITE_BATCH:])

    def _await_visible(self, collection: str, written: Sequence[dict[str, Any]]) -> None:
        """Wait until searches at the profile's consistency see these rows, and so all that was written before them."""
        chosen = field.keys([entity[field.KEY] for entity in written])
        names = [name for name in field.STAMP_FIELDS if name in written[0]]
        wanted = {entity[field.KEY]: [entity[name] for name in names] for entity in written}
        deadline = time.monotonic() + _VISIBLE_WITHIN_S
        while True:
            seen = self._query(collection, chosen, [field.KEY, *names], self.profile.consistency)
            if {row[field.KEY]: [row[name] for name in names] for row in seen} == wanted:
                return
            if time.monotonic() > deadline:
                raise Unavailable("Milvus does not show what was written to it; are its query nodes healthy?")
            time.sleep(0.05)


def _entity(row: VectorRow) -> dict[str, Any]:
    stamp = row.stamp
    return {
        field.KEY: row.chunk_id,
        field.DENSE: row.dense,
        field.SPARSE: dict(row.sparse) or {RESERVED_TERM: 1.0},
        **{name: int(getattr(stamp, name)) for name in field.STAMP_FIELDS},
    }


def _upsert(client: Any, *, collection: str, entities: list[dict[str, Any]], whole: bool) -> None:
    client.upsert(collection, entities, partial_update=not whole, timeout=WRITE_TIMEOUT_S)


def _delete(client: Any, *, collection: str, chosen: str) -> None:
    client.delete(collection, filter=chosen, timeout=WRITE_TIMEOUT_S)


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))
