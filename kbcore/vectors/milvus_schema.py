"""The shape of a collection in Milvus, and how it is indexed on Milvus Lite and on a server.

No text, no nullable or dynamic fields, no partitions: each of them is read differently by some server (ADR 0008).
"""

from collections.abc import Collection
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

from kbcore.vectors import milvus_filter as field
from kbcore.vectors.rows import MAX_KEY_LENGTH

METRIC = "IP"
"""Inner product: the cosine, since vectors are of unit length, without a second normalisation in the server."""


_SPARE = 4
"""How many times more visible rows than hits the search shall meet."""


@dataclass(frozen=True, slots=True)
class IndexProfile:
    """How one kind of server is used. `widths` are the search widths to try until enough hits come back.

    The first one is for a search that sees every row; an index with `widens` is searched wider the fewer it may see.
    """

    name: Literal["lite", "server"]
    index_type: str
    build: dict[str, int]
    width_name: str
    widths: tuple[int, ...]
    consistency: str
    waits_for_visibility: bool
    builds_sparse_late: bool
    widens: bool

    def widths_for(self, share: float, limit: int) -> tuple[int, ...]:
        """The widths to try, growing, for `limit` hits of which `share` (0-1] of the rows may be returned.

        HNSW ranks its neighbours before the filter and keeps as many as its width: of `width` nearest rows only
        `width * share` may be returned, and several times `limit` of them are needed to find the `limit` best.
        """
        if not self.widens:
            return self.widths
        needed = max(self.widths[0], ceil(_SPARE * limit / max(share, 1e-9)))
        first = min(needed, self.widths[-1])
        return (first, *(width for width in self.widths if width > first))

    def search_params(self, width: int, limit: int) -> dict[str, Any]:
        """The `search_params` of a dense search of this width for `limit` hits; a width below the limit is refused."""
        return {"metric_type": METRIC, "params": {self.width_name: max(width, limit)}}


LITE = IndexProfile(
    name="lite",
    index_type="IVF_FLAT",
    build={"nlist": 16},
    width_name="nprobe",
    widths=(1024,),  # >= nlist: every list is probed, so the search is exact under any filter
    consistency="Strong",  # free there: Lite always reads its own writes
    waits_for_visibility=False,
    builds_sparse_late=True,
    widens=False,
)

SERVER = IndexProfile(
    name="server",
    index_type="HNSW",
    build={"M": 16, "efConstruction": 200},
    width_name="ef",
    widths=(256, 2048, 32768),
    consistency="Bounded",  # Strong waits for the next time tick, about 200 ms
    waits_for_visibility=True,
    builds_sparse_late=False,
    widens=True,
)


def profile_of(server_version: str) -> IndexProfile:
    """The profile for what `get_server_version` says."""
    return LITE if server_version.startswith("milvus_lite") else SERVER


def collection_schema(dimension: int) -> Any:
    """A `pymilvus.CollectionSchema`: key, dense and sparse vector, and the stamp's six integers."""
    from pymilvus import DataType, MilvusClient  # noqa: PLC0415

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field(field.KEY, DataType.VARCHAR, is_primary=True, max_length=MAX_KEY_LENGTH)
    schema.add_field(field.DENSE, DataType.FLOAT_VECTOR, dim=dimension)
    schema.add_field(field.SPARSE, DataType.SPARSE_FLOAT_VECTOR)
    for name in field.STAMP_FIELDS:
        schema.add_field(name, DataType.INT64)
    return schema


def index_params(profile: IndexProfile, fields: Collection[str]) -> Any:
    """A `pymilvus` index description for these vector fields."""
    from pymilvus import MilvusClient  # noqa: PLC0415

    params = MilvusClient.prepare_index_params()
    if field.DENSE in fields:
        # Milvus Lite drops build parameters that are not nested once more; servers want them as they are.
        build: dict[str, Any] = {"params": profile.build} if profile.name == "lite" else profile.build
        params.add_index(field.DENSE, index_type=profile.index_type, metric_type=METRIC, params=build)
    if field.SPARSE in fields:
        params.add_index(field.SPARSE, index_type="SPARSE_INVERTED_INDEX", metric_type=METRIC, params={})
    return params
