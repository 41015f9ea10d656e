"""The servers that the tests run on, whichever they are."""

from __future__ import annotations

import clickhouse_connect
import pytest
import waiting
from confluent_kafka.admin import AdminClient
from waiting import eventually


def test_kafka_answers(kafka: str) -> None:
    """A client gets the cluster's brokers."""
    assert len(AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).brokers) == 1


def test_clickhouse_answers(clickhouse: str, database: str) -> None:
    """A client makes the database that its test was given, and uses it."""
    client = clickhouse_connect.get_client(dsn=clickhouse)
    client.command(f"CREATE DATABASE {database} ENGINE = Atomic")
    client.command(f"CREATE TABLE {database}.t (a Int8) ENGINE = MergeTree ORDER BY a")
    client.insert(f"{database}.t", [[1]], column_names=["a"])
    assert client.query(f"SELECT a FROM {database}.t").result_rows == [(1,)]


def test_eventually_waits_and_says_what_it_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that never holds fails within its limit, naming what was awaited and what was there instead."""
    monkeypatch.setattr(waiting, "_LEAST_LIMIT_S", 0.0)
    calls = iter([0, 0, 3])
    assert eventually(lambda: next(calls), within=5) == 3
    with pytest.raises(AssertionError, match=r"the moon is cheese; last seen: ''"):
        eventually(lambda: "", within=0.05, saying="the moon is cheese")
