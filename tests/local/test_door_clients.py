"""The same questions and the same answers, by ClickHouse's own clients for Python, Node and Java."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from client_packages import java_client, node_modules
from door_users import PASSWORD
from http_answers import ask
from runtimes import node
from waiting import eventually

from hindcast.local.java import find_java

CLIENTS = Path(__file__).parent / "clients"
ANSWERS = [
    "7|it's ü|2026-01-02|[1, 2]",
    "written 2",
    "1000000 rows, sum 499999500000",
    "error 60",
]
FETCH_S = 600


@pytest.fixture
def asked(door: str) -> dict[str, str]:
    """Where the door is, for a client in a process of its own."""
    table = f"c_{uuid.uuid4().hex[:8]}"
    ask(door, f"CREATE TABLE {table} (a Int64, b String) ENGINE = MergeTree ORDER BY a")
    return {
        **os.environ,
        "DOOR_URL": f"http://127.0.0.1:{urlsplit(door).port}",
        "DOOR_USER": "default",
        "DOOR_PASSWORD": PASSWORD,
        "DOOR_TABLE": table,
        "DOOR_QUERY": f"{table}-left",
    }


def of_python(asked: Mapping[str, str], _: Path) -> list[str]:
    """clickhouse-connect, with compression."""
    port = urlsplit(asked["DOOR_URL"]).port
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=port, username="default", password=asked["DOOR_PASSWORD"], compress=True
    )
    sql = "SELECT {a:Int64} AS n, {s:String} AS s, toDate('2026-01-02') AS d, [1, 2] AS l"
    [(number, text, day, items)] = client.query(sql, parameters={"a": 7, "s": "it's ü"}).result_rows
    said = [f"{number}|{text}|{day}|{items}"]
    done = client.insert(asked["DOOR_TABLE"], [[1, "one"], [2, "two"]], column_names=["a", "b"])
    said.append(f"written {done.written_rows}")
    count = total = 0
    with client.query_column_block_stream("SELECT number FROM numbers(1000000)") as blocks:
        for (numbers,) in blocks:
            count, total = count + len(numbers), total + sum(map(int, numbers))
    said.append(f"{count} rows, sum {total}")
    with pytest.raises(DatabaseError) as refused:
        client.query("SELECT nothing FROM nowhere")
    said.append(f"error {refused.value.code}")
    client.close()
    return said


def of_node(asked: Mapping[str, str], _: Path) -> list[str]:
    """@clickhouse/client, with gzip both ways."""
    environment = {**asked, "DOOR_MODULES": str(node_modules())}
    return _said([node(), str(CLIENTS / "answers.mjs")], environment)


def of_java(asked: Mapping[str, str], directory: Path) -> list[str]:
    """client-v2, which compresses in ClickHouse's own way."""
    java = str(find_java(os.environ))
    path = os.pathsep.join([str(directory), *map(str, java_client())])
    compiler = ["org.eclipse.jdt.internal.compiler.batch.Main", "-17", "-nowarn", "-proc:none"]
    source = ["-d", str(directory), str(CLIENTS / "Answers.java")]
    _said([java, "-cp", path, *compiler, "-cp", path, *source], asked)
    return _said([java, "-cp", path, "Answers"], asked)


def _said(command: list[str], environment: Mapping[str, str]) -> list[str]:
    done = subprocess.run(
        command, env=dict(environment), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


@pytest.mark.timeout(FETCH_S)
@pytest.mark.parametrize("client", [of_python, of_node, of_java])
def test_clients_get_the_same_answers(
    door: str, asked: dict[str, str], tmp_path: Path, client: Callable[[Mapping[str, str], Path], list[str]]
) -> None:
    """Bound parameters, types, an insert, a million rows and an error; what they inserted is there."""
    said = client(asked, tmp_path)
    assert said[: len(ANSWERS)] == ANSWERS
    assert ask(door, f"SELECT * FROM {asked['DOOR_TABLE']} ORDER BY a").text == "1\tone\n2\ttwo\n"
    running = f"SELECT count() FROM system.processes WHERE query_id = '{asked['DOOR_QUERY']}'"
    eventually(lambda: ask(door, running).text == "0\n", saying="a stream that was left has ended")


def test_a_client_that_wants_another_native_is_told(door: str) -> None:
    """clickhouse-go reads Native of a later revision unchecked, so it is refused in words instead of misread."""
    answer = ask(door, "SELECT 1", default_format="Native", client_protocol_version=54460)
    assert answer.status == 501
    assert "clickhouse-go" in answer.text
