"""Whoever asks can change nothing, take no more than the limits, and say nothing but values."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from known_history import START
from recorded_rows import Recorder, is_local_engine, label, prediction

from evaluation.analysts import analyst_statements, make_analyst
from evaluation.history import READ_LIMITS, History
from evaluation.queries import NamedQuery, shipped_queries
from hindcast.__main__ import run
from hindcast.local.clickhouse_door.access import ANALYST_LIMITS
from producers.errors import ConfigError, StoreUnavailable
from stream_processors.clickhouse import QueryRefused

QUERIES = shipped_queries()
COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"
SALT = "0f" * 16
# everything that ends, opens or escapes something in SQL, in HTTP and in ClickHouse's parameters
HOSTILE = "' OR 1=1 --\"`\\\\'; DROP TABLE predictions; {model:String} {t} %(x)s %% /* # \t\n\u00fc"


def statements(**more: Any) -> list[str]:
    """What makes the user ann."""
    return analyst_statements("ann", "it's secret", **{"salt": SALT, "database": "hindcast", **more})


@pytest.mark.parametrize(
    ("limit", "statement", "error", "said"),
    [
        (
            {"max_execution_time": 1},
            "SELECT sleepEachRow(0.2) FROM numbers(100) SETTINGS max_block_size = 1",
            StoreUnavailable,
            "TIMEOUT_EXCEEDED",
        ),
        (
            {"max_memory_usage": 20_000_000},
            "SELECT length(groupArray(number)) FROM numbers(20000000)",
            StoreUnavailable,
            "MEMORY_LIMIT",
        ),
        ({"max_result_rows": 1000}, "SELECT number FROM numbers(2000)", QueryRefused, "TOO_MANY_ROWS"),
    ],
)
def test_each_limit_bites(
    recorded: Recorder, limit: dict[str, int], statement: str, error: type[Exception], said: str
) -> None:
    """A limit of the read side, made small, ends a question that exceeds it, and the same question passes without it.

    What may pass when it is asked again is another error than what never will.
    """
    others = {name: value for name, value in READ_LIMITS.items() if name not in limit and name != "readonly"}
    assert set(limit) < set(READ_LIMITS)
    with pytest.raises(error, match=said):
        recorded.store.rows(statement, settings={**others, **limit})
    if "sleep" not in statement:
        assert recorded.store.arrow(statement, settings=others).num_rows > 0


def test_an_answer_of_too_many_rows_is_refused(history: History) -> None:
    """The door refuses one row more than `READ_LIMITS` allow."""
    most = READ_LIMITS["max_result_rows"]
    with pytest.raises(QueryRefused, match="TOO_MANY_ROWS") as raised:
        history.sql(f"SELECT number FROM numbers({most + 1})")
    assert raised.value.code == 396


def test_everybody_reads_within_the_same_limits(recorded: Recorder, analyst: str) -> None:
    """The door of the read side, the local stack's analyst and the compose file's have the same limits, and the analyst has them in truth."""
    assert {name: str(value) for name, value in READ_LIMITS.items()} == ANALYST_LIMITS
    compose = COMPOSE.read_text(encoding="utf-8")
    profile = {name: value for name, value in READ_LIMITS.items() if name != "readonly"}
    assert all(f"<{name}>{value}</{name}>" in compose for name, value in profile.items())
    assert all(f"<{name}><readonly/></{name}>" in compose for name in profile)
    with History(analyst, database=recorded.store.database) as door:
        for name, value in READ_LIMITS.items():
            (held,) = door.sql(f"SELECT toInt64(getSetting('{name}')) AS v").to_pylist()
            assert held["v"] in ((1, 2) if name == "readonly" else (value,))


def test_a_user_is_made_of_statements_that_clickhouse_reads(recorded: Recorder) -> None:
    """Profile, user, quota and grant, also on a cluster; limits are those of the read side, fixed, and the password is not among them."""
    for cluster in ("", "main"):
        made = statements(cluster=cluster)
        for statement in made:
            recorded.store.command(f"EXPLAIN AST {statement}")
        kinds = [" ".join(one.split()[:2]) for one in made]
        assert kinds == [
            "CREATE SETTINGS",
            "CREATE USER",
            "CREATE QUOTA",
            "GRANT ON" if cluster else "GRANT SELECT,",
        ]
        assert all((" ON CLUSTER main" in one) == bool(cluster) for one in made)
    profile, user, _, grant = statements()
    assert {
        name: int(value)
        for name, value in re.findall(r"(max_\w+) = (\d+) CONST", profile)
        if name in READ_LIMITS
    } == {name: value for name, value in READ_LIMITS.items() if name != "readonly"}
    assert "readonly = 2 CONST" in profile
    assert "secret" not in "".join(statements())
    assert hashlib.sha256(f"it's secret{SALT}".encode()).hexdigest() in user
    assert grant == "GRANT SELECT, SHOW ON hindcast.* TO ann"


@pytest.mark.parametrize("name", ["", "a b", "a'; DROP USER b", "ann\n", "1a", "a-b", "a" * 64])
def test_a_name_is_only_a_name(name: str) -> None:
    """What could be anything else in a statement is no user's name."""
    with pytest.raises(ConfigError, match="letters, digits and underscores"):
        analyst_statements(name, "p", salt=SALT, database="hindcast")


@pytest.mark.parametrize("name", ["writer", "default"])
def test_whoever_writes_is_made_no_reader(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    """Made anew, the user of HINDCAST_CLICKHOUSE and the one that a server begins with would keep no right to write."""
    monkeypatch.setenv("HINDCAST_CLICKHOUSE", "http://writer:secret@127.0.0.1:1")
    assert run(["analyst", name, "--dry-run"]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert (
        said.err
        == f"hindcast: {name} is the user who writes, and would only read: name another for the analyst\n"
    )
    assert run(["analyst", "ann", "--dry-run"]) == 0


def test_where_nobody_may_make_users(recorded: Recorder) -> None:
    """The engine of the local stack knows no users of its own: one line says which one there is. A server makes one, twice too."""
    if is_local_engine(recorded.store):
        with pytest.raises(ConfigError, match=r"may not make users\. The local stack has its own: `analyst`"):
            make_analyst(recorded.store, statements())
    else:
        for _ in range(2):
            make_analyst(recorded.store, statements(database=recorded.store.database))


def free_texts(query: NamedQuery) -> list[str]:
    """Parameters that may be any text."""
    return [one.name for one in query.parameters if one.type == "String" and not one.choices]


@pytest.mark.parametrize("name", [name for name, query in QUERIES.items() if free_texts(query)])
def test_hostile_text_is_a_value_of_every_parameter(history: History, recorded: Recorder, name: str) -> None:
    """Quotes, braces, backslashes and semicolons in every text parameter find nothing, and nothing else happens."""
    query = QUERIES[name]
    given = {**query.example, **dict.fromkeys(free_texts(query), HOSTILE)}
    assert history.query(name, **given).num_rows == 0
    assert recorded.store.command("EXISTS TABLE predictions") == 1


def test_the_hostile_text_is_compared_as_it_is(ask: History, record: Recorder) -> None:
    """Rows whose names are that text are found by it, in every place a name may stand in, and no others."""
    named = {
        "model": HOSTILE,
        "entity_id": HOSTILE,
        "request_id": HOSTILE,
        "categorical_features": {HOSTILE: HOSTILE},
    }
    record.insert(
        "predictions",
        [prediction(HOSTILE, START, **named, decision="x", score=0.5), prediction("other", START)],
    )
    record.insert("labels", [label(HOSTILE, START, "x", model=HOSTILE)])
    for name, more in (
        ("prediction_record", {"prediction_id": HOSTILE}),
        ("entity_history", {"entity": HOSTILE}),
        ("answers_to_request", {"request": HOSTILE}),
    ):
        found = ask.query(name, model=HOSTILE, **more).to_pylist()
        assert {row.get("prediction_id", HOSTILE) for row in found} == {HOSTILE}
    (segment,) = ask.query("segment_quality", model=HOSTILE, segment=HOSTILE, value=HOSTILE).to_pylist()
    assert (segment["predictions"], segment["accuracy"]) == (1, 1)
    (worst,) = ask.query("worst_segments", model=HOSTILE, by=HOSTILE, minimum=1).to_pylist()
    assert (worst["segment"], worst["value"]) == (HOSTILE, HOSTILE)
