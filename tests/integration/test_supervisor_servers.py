"""The embedded servers, each as a process."""

import psycopg
import sqlalchemy as sa
from pymilvus import MilvusClient
from redis import Redis

from kbcore.metadata.database import Database


def test_postgres_speaks_utf8_and_listens_on_no_tcp_port(database: Database) -> None:
    with database.begin() as connection:
        assert connection.execute(sa.text("SHOW listen_addresses")).scalar() == ""
        assert connection.execute(sa.text("SELECT upper('é知库')")).scalar() == "É知库"
        assert connection.execute(sa.text("SELECT value FROM epoch")).scalars().all() == [0]


def test_the_database_is_emptied_between_tests(database: Database) -> None:
    with database.begin() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM epoch")).scalar() == 1


def test_redis_keeps_an_append_only_file(redis_url: str) -> None:
    with Redis(unix_socket_path=redis_url.removeprefix("redis+socket://")) as client:
        client.set("greeting", "知库")
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("port") == {"port": "0"}


def test_milvus_answers(milvus_uri: str) -> None:
    client = MilvusClient(milvus_uri)
    assert client.get_server_version().startswith("milvus_lite")
    client.close()


def test_postgres_accepts_libpq_addresses(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute("SELECT current_database()").fetchone()
    assert row == ("zhiku",)
