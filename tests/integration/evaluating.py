"""A library with a second generation of its index, an administrator, and a runner for evaluations."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import sqlalchemy as sa

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.domain.vector import vector_from_bytes
from kbcore.language.weights import unpack
from kbcore.metadata import generations, index_rows
from kbcore.metadata.generations import Generation, GenerationState, NewGeneration
from kbcore.metadata.tables import metadata as tables
from kbcore.vectors.interface import VectorRow
from services.auth.api_keys import issue_key
from services.evaluation.runner import EvaluationRunner
from tests.builders import Corpus
from tests.servers.application import serving

# Asked in the other language, so that words do not find them: only the vectors can.
ANSWERS = {
    "Can annual leave be carried over to next year?": "员工享有五天年假。年假可以结转至次年三月三十一日，逾期作废。",
    "What proof does sick leave need?": "病假需提供医院证明，三天以内由直属主管批准。",
    "How much may a hotel cost?": "出差住宿标准为北京、上海每晚六百元，其他城市每晚四百元。",
    "Who signs contracts?": "合同须由法务部审核后由总经理签署，并加盖公章。",
    "How do I report a lost laptop?": "笔记本电脑遗失须在两小时内向信息安全部报告，以便远程擦除数据。",
    "How long are backups kept?": "数据备份保留九十天，到期后自动清除。",
    "When are salaries paid?": "工资于每月十日发放，遇节假日提前。",
    "May visitors enter the server room?": "访客不得进入机房，参观须由两名员工陪同。",
}


@dataclass
class Lab:
    """Where generations are measured. `documents` are the ids of the answers' documents, by question."""

    platform: Platform
    corpus: Corpus
    client: httpx.Client
    admin: Caller
    documents: dict[str, str]

    def golden_set(self, name: str = "questions", user: str | None = None, **more: Any) -> dict[str, Any]:
        """A set of all the questions."""
        questions = [
            {"question": question, "documents": [{"document_id": document}], **({"user": user} if user else {})}
            for question, document in self.documents.items()
        ]
        made = self.client.post("/v1/golden-sets", json={"name": name, "questions": questions, **more})
        return dict(made.raise_for_status().json())

    def key_of(self, caller: Caller) -> str:
        """An `Authorization` header of this person."""
        with self.platform.database.begin() as connection:
            return f"Bearer {issue_key(connection, user_id=caller.user_id, name='test').token}"

    def copy(self, embedding: str, *, turn: int = 0) -> Generation:
        """Another generation of the same rows, ready; `turn` gives each row the vector of one so many places on."""
        live = self.corpus.generation
        new = NewGeneration(embedding, live.dimension, live.chunking, {}, created_by="test")
        with self.platform.database.begin() as connection:
            made = generations.insert_building(connection, f"{live.collection}x", new, through=0)
            values = {"new": made.id, "live": live.id, "model": embedding, "old": live.embedding}
            for table in ("chunks", "version_chunks", "term_counts", "row_counts"):
                columns = ", ".join(f'"{c.name}"' for c in tables.tables[table].c if c.name != "generation_id")
                statement = f"INSERT INTO {table} (generation_id, {columns}) SELECT :new, {columns} FROM {table}"
                connection.execute(sa.text(f"{statement} WHERE generation_id = :live"), values)
            vectors = connection.execute(
                sa.text("SELECT text_hash, vector FROM embeddings WHERE model = :old ORDER BY text_hash"), values
            ).all()
            for place, row in enumerate(vectors):
                connection.execute(
                    sa.text("INSERT INTO embeddings VALUES (:model, :hash, :vector) ON CONFLICT DO NOTHING"),
                    {**values, "hash": row.text_hash, "vector": vectors[(place + turn) % len(vectors)].vector},
                )
            generations.update(connection, made.id, state=GenerationState.READY, rows=live.rows or len(vectors))
            ids = [key for key, _ in index_rows.expected(connection, made.id)]
            rows = index_rows.full(connection, made.id, embedding, ids)
        self.platform.vectors.create(made.collection, made.dimension)
        self.platform.vectors.upsert(
            made.collection,
            [VectorRow(r.chunk_id, r.stamp, vector_from_bytes(r.vector), unpack(r.terms)) for r in rows],
        )
        return made

    def evaluate(self, **order: Any) -> dict[str, Any]:
        """Order an evaluation, carry it out, and read it."""
        ordered = self.client.post("/v1/evaluations", json={"set": "questions", **order}).raise_for_status().json()
        assert EvaluationRunner(self.platform).run_next()
        job = self.client.get(f"/v1/jobs/{ordered['job_id']}").json()
        assert job["state"] == "succeeded", job
        return dict(self.client.get(f"/v1/evaluations/{ordered['id']}").raise_for_status().json())


@contextmanager
def open_lab(platform: Platform, texts: Sequence[str] = tuple(ANSWERS.values())) -> Iterator[Lab]:
    """The answers' documents in a space that everyone may read, and an administrator's client."""
    corpus = Corpus.open(platform)
    corpus.space("public", "everyone")
    documents = {
        question: corpus.add("public", f"制度 {number}", text)
        for number, (question, text) in enumerate(zip(ANSWERS, texts, strict=False))
    }
    # Every generation here was embedded by the one model, whatever its name says.
    platform.__dict__["embedder_for"] = lambda _name: platform.embedder
    admin = corpus.person("admin", is_admin=True)
    with platform.database.begin() as connection:
        key = issue_key(connection, user_id=admin.user_id, name="test").token
    headers = {"authorization": f"Bearer {key}"}
    with serving(platform) as url, httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        yield Lab(platform, corpus, client, admin, documents)


def zhiku(lab: Lab, *arguments: str, columns: int = 120) -> subprocess.CompletedProcess[str]:
    """The command line as whoever the lab's client is."""
    key = str(lab.client.headers["authorization"]).removeprefix("Bearer ")
    return subprocess.run(
        [sys.executable, "-m", "services.cli.main", *arguments],
        env={**os.environ, "ZHIKU_URL": str(lab.client.base_url), "ZHIKU_KEY": key, "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def open_lab_with_runner(platform: Platform) -> Iterator[Lab]:
    """`open_lab` with a runner at work."""
    with open_lab(platform) as opened:
        runner = EvaluationRunner(platform)
        runner.start()
        yield opened
        runner.stop()
