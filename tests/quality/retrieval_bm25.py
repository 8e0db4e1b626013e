"""The keyword leg against Milvus' own BM25 function, in an index that departments filled one after the other.

    python -m tests.quality.retrieval_bm25 [--data ../shared/data]

Every set is a department: all sets go into one collection, one sealed segment each. Milvus Lite computes the IDF of its
BM25 by segment, so a term is cheap where it is frequent, whatever the others say. Prints nDCG@10; ADR 0006 quotes it.
"""

import argparse
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ir_measures
from ir_measures import nDCG
from pymilvus import DataType, Function, FunctionType, MilvusClient

from kbcore.domain.document import FOREVER, Classification
from kbcore.language.analyzer import terms
from kbcore.language.weights import document_weights, query_weights, term_id
from kbcore.permissions.scope import ReadScope
from kbcore.vectors.interface import VectorFilter, VectorRow, VectorStamp
from kbcore.vectors.milvus import MilvusStore
from tests.benchmarks.bench_vectors import lite_server
from tests.benchmarks.vector_workload import Workload
from tests.quality.retrieval_corpora import RetrievalSet, load

SETS = ("stard", "cmrc", "drcd", "xquad-zh", "xquad-en", "scifact", "policyqa")

Run = dict[str, dict[str, float]]


def bm25_function(uri: str, sets: list[RetrievalSet], *, segments: bool) -> dict[str, Run]:
    """Hits of the BM25 function over blank-separated terms, one segment per set or one for all."""
    client = MilvusClient(uri)
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=64)
    schema.add_field(
        "terms", DataType.VARCHAR, max_length=65_535, enable_analyzer=True, analyzer_params={"tokenizer": "standard"}
    )
    schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_function(
        Function(
            name="bm25",
            function_type=FunctionType.BM25,
            input_field_names=["terms"],
            output_field_names=["sparse"],
        )
    )
    index = client.prepare_index_params()
    index.add_index("sparse", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
    name = f"bm25_{segments}".lower()
    client.create_collection(name, schema=schema, index_params=index)
    keys = _keys(sets)
    for each in sets:
        rows: list[dict[str, Any]] = [
            {"id": keys[each.name, passage], "terms": _blank_separated(text)} for passage, text in each.passages.items()
        ]
        for start in range(0, len(rows), 500):
            client.upsert(name, rows[start : start + 500])
        if segments:
            client.flush(name)
    client.flush(name)
    client.load_collection(name)

    def hits(text: str) -> dict[str, float]:
        found = client.search(name, [_blank_separated(text)], anns_field="sparse", limit=10, output_fields=["id"])
        return {hit["id"]: -float(rank) for rank, hit in enumerate(found[0])}

    return {each.name: {question: hits(text) for question, text in each.questions.items()} for each in sets}


def application_weights(uri: str, sets: list[RetrievalSet]) -> dict[str, Run]:
    """Hits of the product's sparse vectors."""
    store, vector = MilvusStore(uri), Workload().vector()
    store.create("weighted", len(vector))
    keys, counts, total = _keys(sets), Counter[int](), 0
    stamp = VectorStamp(1, 1, 1, 0, 1, FOREVER)
    for each in sets:
        weights = {passage: document_weights(terms(text)) for passage, text in each.passages.items()}
        counts.update(term for passage in weights.values() for term in passage)
        total += len(weights)
        store.upsert(
            "weighted",
            [VectorRow(keys[each.name, passage], stamp, vector, terms) for passage, terms in weights.items()],
        )
        store.flush("weighted")
    where = VectorFilter(ReadScope(frozenset({1}), Classification.PUBLIC), 1)

    def hits(text: str) -> dict[str, float]:
        asked = terms(text)
        weights = query_weights(asked, {term_id(term): counts[term_id(term)] for term in asked}, total)
        return {hit.chunk_id: hit.score for hit in store.search_sparse("weighted", weights, where, 10)}

    return {each.name: {question: hits(text) for question, text in each.questions.items()} for each in sets}


def main() -> None:
    """Print one line per way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments = parser.parse_args()
    sets = [load(name, arguments.data) for name in SETS]
    print(f"{'nDCG@10':32}" + "".join(f"{name:>10}" for name in SETS))
    with lite_server() as uri:
        _report("BM25 function, one segment", bm25_function(uri, sets, segments=False), sets)
        _report("BM25 function, by department", bm25_function(uri, sets, segments=True), sets)
        _report("application weights", application_weights(uri, sets), sets)


def _report(label: str, runs: Mapping[str, Run], sets: list[RetrievalSet]) -> None:
    keys = _keys(sets)
    values = []
    for each in sets:
        judgements = {
            question: {keys[each.name, passage]: 1 for passage in gold} for question, gold in each.relevant.items()
        }
        values.append(ir_measures.calc_aggregate([nDCG @ 10], judgements, runs[each.name])[nDCG @ 10])
    print(f"{label:32}" + "".join(f"{value:10.3f}" for value in values), flush=True)


def _keys(sets: list[RetrievalSet]) -> dict[tuple[str, str], str]:
    """Row keys of `[a-z0-9-]` for the sets' own ids."""
    return {
        (each.name, passage): f"{number}-{position}"
        for number, each in enumerate(sets)
        for position, passage in enumerate(each.passages)
    }


def _blank_separated(text: str) -> str:
    """Terms that the `standard` analyzer leaves whole: their ids in hexadecimal."""
    return " ".join(f"t{term_id(term):08x}" for term in terms(text)) or "t"


if __name__ == "__main__":
    main()
