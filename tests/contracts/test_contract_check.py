"""`hindcast contract check` against recent production, a table, and another contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from contract_command import Ended, run
from logged_tables import batch_of, logged
from recorded_rows import Recorder, migrated_record, prediction

from producers.errors import InvalidEvent
from stream_processors.contracts import table_events
from stream_processors.contracts.model import Contract
from stream_processors.contracts.tally import Tally

HOSTILE = 'it\'s "m"\\ {model:String} %s \n\t; DROP é'
NOW = datetime.now(UTC).replace(microsecond=0)

AGE = {"kind": "numeric", "required": True, "minimum": 0, "maximum": 120}
PLAN = {"kind": "categorical", "values": ["basic", "plus"], "only_listed": True}


@pytest.fixture(scope="module")
def record(clickhouse: str) -> Iterator[Recorder]:
    """A database with a hundred predictions of the last hours: of each fault one per ten."""
    with migrated_record(clickhouse) as made:
        for model, feature in (("m", "age"), (HOSTILE, HOSTILE)):
            rows = [_event(f"p{n}", n, feature) | {"model": model} for n in range(100)]
            made.insert("predictions", rows)
            # a resend is one event
            made.insert("predictions", rows[:5])
        made.insert("predictions", [_event("old", 0, "age") | {"event_time": NOW - timedelta(days=3)}])
        made.insert("predictions", [_event("s", 0, "age") | {"environment": "staging"}])
        yield made


def _event(prediction_id: str, n: int, feature: str) -> dict[str, Any]:
    """One of ten ages is missing, one beyond the range, one a text; one of ten plans is not listed."""
    numeric: dict[str, float | None] = {feature: float(n % 100)}
    categorical: dict[str, str | None] = {"plan": "basic"}
    match n % 10:
        case 1:
            numeric = {"other": 1.0}
        case 2:
            numeric = {feature: 121.0}
        case 3:
            numeric, categorical = {}, {feature: "old", "plan": "plus"}
        case 4:
            categorical = {"plan": "né'w"}
    at = NOW - timedelta(minutes=5 * n)
    return prediction(prediction_id, at, numeric_features=numeric, categorical_features=categorical)


def contract(path: Path, name: str = "c", **change: Any) -> Path:
    """A contract file of the model."""
    body = {"model": "m", "environment": "production", "features": {"age": AGE, "plan": PLAN}, **change}
    file = path / f"{name}.yaml"
    file.write_text(yaml.safe_dump(body, allow_unicode=True))
    return file


def asked(record: Recorder, *arguments: object, **environment: str) -> Ended:
    """`hindcast contract check` with that record."""
    settings = record.store.settings
    return run(
        "check",
        *arguments,
        HINDCAST_CLICKHOUSE=settings.url,
        HINDCAST_DATABASE=record.store.database,
        **environment,
    )


EXPECTED = {("missing", "age"): 20, ("range", "age"): 10, ("kind", "age"): 10, ("unlisted", "plan"): 10}


def problems(facts: dict[str, Any], column: str = "events") -> dict[tuple[str, str], int]:
    """Counts by problem and feature."""
    return {(one["problem"], one["feature"]): one[column] for one in facts["problems"]}


def test_recent_production_is_held_against_a_contract(record: Recorder, tmp_path: Path) -> None:
    """Each event of the model once, of the contract's environment and the time asked for; what only warns ends with 0."""
    done = asked(record, contract(tmp_path), "--recent", "1d", "--json")
    facts = json.loads(done.output)
    assert done.exit_code == 0
    assert (facts["events"], facts["warned"], facts["rejected"]) == (100, 40, 0)
    assert problems(facts) == EXPECTED
    assert facts["problems"][0]["share"] == 0.2
    longer = json.loads(asked(record, contract(tmp_path), "--recent", "1w", "--json").output)
    everywhere = contract(tmp_path, environment=None)
    assert longer["events"] == 101
    assert json.loads(asked(record, everywhere, "--recent", "1w", "--json").output)["events"] == 102


def test_what_would_be_rejected_ends_with_1(record: Recorder, tmp_path: Path) -> None:
    """For a pipeline that publishes only what is kept; a person sees a table."""
    done = asked(record, contract(tmp_path, on_violation="reject"), "--recent", "1d")
    assert done.exit_code == 1
    assert "100 events: 40 would be rejected, 0 kept with warnings (on_violation: reject)" in done.output
    assert any(line.split()[:3] == ["missing", "age", "20"] for line in done.output.splitlines())


def test_names_are_bound_and_not_pasted(record: Recorder, tmp_path: Path) -> None:
    """A model and a feature may be called anything."""
    hostile = contract(tmp_path, model=HOSTILE, features={HOSTILE: AGE, "plan": PLAN})
    facts = json.loads(asked(record, hostile, "--recent", "1d", "--json").output)
    assert facts["events"] == 100
    assert problems(facts) == {
        (word, HOSTILE if name == "age" else name): n for (word, name), n in EXPECTED.items()
    }
    assert asked(record, hostile, "--recent", "1d").exit_code == 0
    nobody = asked(record, contract(tmp_path, environment="x' OR '1'='1"), "--recent", "1d")
    assert (nobody.exit_code, "no predictions of model m in x' OR '1'='1 are recorded" in nobody.output) == (
        2,
        True,
    )


def test_another_contract_says_what_would_now_be_rejected(record: Recorder, tmp_path: Path) -> None:
    """Events and rules: only what is new counts for the exit code."""
    loose = contract(tmp_path, "loose", on_violation="reject", features={"age": AGE | {"required": False}})
    strict = contract(tmp_path, "strict", on_violation="reject", features={"age": AGE | {"minimum": 50}})
    done = asked(record, strict, "--recent", "1d", "--against", loose, "--json")
    facts = json.loads(done.output)
    ages = [n for n in range(100) if n % 10 not in (1, 2, 3)]
    low = sum(n < 50 for n in ages)
    assert done.exit_code == 1
    assert facts["against"]["newly_rejected"] == 10 + low
    assert problems(facts, "newly") == {("missing", "age"): 20, ("range", "age"): low, ("kind", "age"): 0}
    rules = {one["field"]: one["rule"] for one in facts["against"]["rules"]}
    assert rules == {"features.age.required": "tightened", "features.age.minimum": "tightened"}
    back = asked(record, loose, "--recent", "1d", "--against", strict, "--json")
    assert back.exit_code == 0
    assert problems(json.loads(back.output), "no_longer")["missing", "age"] == 20
    told = asked(record, strict, "--recent", "1d", "--against", loose)
    assert f"of them newly: {10 + low} rejected, 0 with warnings" in told.output
    assert "features.age.minimum" in told.output


def test_warnings_that_become_refusals_are_new(record: Recorder, tmp_path: Path) -> None:
    """The rules stay, what they do does not."""
    warns, rejects = contract(tmp_path, "w"), contract(tmp_path, "r", on_violation="reject")
    facts = json.loads(asked(record, rejects, "--recent", "1d", "--against", warns, "--json").output)
    assert facts["against"]["newly_rejected"] == 40
    assert set(problems(facts, "newly").values()) == {0}


def test_the_contract_in_effect_is_one_to_compare_with(
    record: Recorder, tmp_path: Path, contracts_topic: dict[str, str]
) -> None:
    """Without events, only rules are compared."""
    file = contract(tmp_path)
    none = run("check", file, "--against-published", **contracts_topic)
    assert (none.exit_code, "has no contract in effect in production" in none.output) == (2, True)
    assert run("publish", file, **contracts_topic).exit_code == 0
    same = run("check", file, "--against-published", **contracts_topic)
    assert (same.exit_code, "no rule on events differs" in same.output) == (0, True)
    tighter = contract(tmp_path, features={"age": AGE | {"maximum": 9}, "plan": PLAN})
    facts = json.loads(run("check", tighter, "--against-published", "--json", **contracts_topic).output)
    (rule,) = facts["against"]["rules"]
    assert (rule["field"], rule["before"], rule["after"], rule["rule"]) == (
        "features.age.maximum",
        120.0,
        9.0,
        "tightened",
    )
    assert facts["events"] == 0


@pytest.mark.parametrize("entries", [2_000_000, 12, 1])
def test_a_table_is_held_against_a_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: int
) -> None:
    """As its rows would arrive: personal data protected, whole numbers of a category as digits; in blocks of any size."""
    monkeypatch.setattr(table_events, "_BLOCK_ENTRIES", entries)
    table = pa.table(
        {
            "age": [1.0, None, 130.0, 5.0],
            "plan": ["basic", "plus", "gold", None],
            "code": [1, 2, 3, 4],
            "mail": ["a@b", "c@d", None, "e@f"],
            "income": [12.0, 27.0, 31.0, None],
            "unnamed": [0, 0, 0, 0],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    features = {
        "age": AGE,
        "plan": PLAN,
        "code": {"kind": "categorical", "values": ["1", "2", "3"], "only_listed": True},
        "mail": {"kind": "categorical", "pii": "hash", "required": True},
        "income": {"kind": "numeric", "pii": "bucket", "bucket": 10},
        "gone": {"kind": "numeric", "pii": "drop", "required": True},
        "nowhere": {"kind": "numeric", "required": True},
    }
    file = contract(tmp_path, features=features)
    facts = json.loads(run("check", file, "--data", tmp_path / "t.parquet", "--json").output)
    assert (facts["events"], facts["warned"]) == (4, 4)
    assert problems(facts) == {
        ("missing", "age"): 1,
        ("range", "age"): 1,
        ("unlisted", "plan"): 1,
        ("unlisted", "code"): 1,
        ("missing", "mail"): 1,
        ("missing", "nowhere"): 4,
    }


def test_a_table_is_held_against_a_contract_as_a_logger_would_send_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole numbers with nulls are digits and truths numbers where the contract says so; what stays of the other kind breaks it in each row."""
    table = pa.table(
        {
            "code": [1.0, 2.0, None, 7.0],
            "flag": [True, False, True, None],
            "share": [1.0, 2.5, None, 1.0],
            "name": ["a", "b", "a", None],
            "zip": [1.5, 2.0, None, 4.0],
            "never": pa.nulls(4),
        }
    )
    features: dict[str, Any] = {
        "code": {"kind": "categorical", "values": ["1", "2"], "only_listed": True},
        "flag": {"kind": "numeric", "maximum": 0.5},
        "share": {"kind": "categorical"},
        "name": {"kind": "numeric"},
        "zip": {"kind": "categorical", "pii": "hash"},
        "never": {"kind": "numeric"},
    }
    made = Contract.model_validate({"model": "m", "features": features})
    pq.write_table(table, tmp_path / "t.parquet")
    checked = asked_of_table(tmp_path, features)
    assert checked == {
        ("unlisted", "code"): 1,
        ("range", "flag"): 2,
        ("kind", "share"): 4,
        ("kind", "name"): 4,
    }
    monkeypatch.setenv("HINDCAST_PII_KEY", "a1" * 32)
    batch = batch_of(logged(table, table.column_names, made, tmp_path))
    tally = Tally(made)
    tally.add(batch, batch.column("event_time").cast("int64").to_numpy())
    assert {f"{word}:{name}": n for (word, name), n in checked.items()} == tally.problems


def test_a_table_that_a_logger_refuses_is_refused(tmp_path: Path) -> None:
    """In the same words, with the column's name; as a category an integer may be of any size."""
    pq.write_table(pa.table({"id": [2**60, 2**60 + 1]}), tmp_path / "t.parquet")
    file = contract(tmp_path, features={"id": {"kind": "numeric"}})
    done = run("check", file, "--data", tmp_path / "t.parquet")
    assert done.exit_code == 2
    assert done.output == "column id: an integer beyond 2^53 changes as a double: send it as a string"
    assert asked_of_table(tmp_path, {"id": {"kind": "categorical"}}) == {}


@pytest.mark.parametrize(
    ("values", "kind"), [([datetime(2026, 1, 1, tzinfo=UTC)], "timestamp[us, tz=UTC]"), ([[1.0]], "list<")]
)
def test_a_feature_of_a_type_that_no_logger_sends_is_refused(
    tmp_path: Path, values: list[object], kind: str
) -> None:
    """A contract that wants it would be broken by nothing, as no event could be sent; where it is dropped before, or no feature, it may stand."""
    table = pa.table({"x": values})
    pq.write_table(table, tmp_path / "t.parquet")
    done = run(
        "check",
        contract(tmp_path, features={"x": {"kind": "categorical"}}),
        "--data",
        tmp_path / "t.parquet",
    )
    assert done.exit_code == 2
    assert done.output.startswith(f"column x is of type {kind}")
    made = Contract.model_validate({"model": "m", "features": {"x": {"kind": "categorical"}}})
    with pytest.raises(InvalidEvent):
        logged(table, ["x"], made, tmp_path)
    assert asked_of_table(tmp_path, {"x": {"kind": "categorical", "pii": "drop"}}) == {}
    assert asked_of_table(tmp_path, {"y": {"kind": "categorical"}}) == {}


def asked_of_table(folder: Path, features: dict[str, Any]) -> dict[tuple[str, str], int]:
    """What `hindcast contract check --data` says of the folder's table, problem by problem."""
    file = contract(folder, features=features)
    return problems(json.loads(run("check", file, "--data", folder / "t.parquet", "--json").output))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--recent", "soon"), "a duration such as 30s"),
        (("--recent", "0s"), "from 1s to 100 years"),
        (("--against", "c.yaml", "--against-published"), "are two ways to name one contract"),
        (("--data", "nowhere.parquet"), "cannot read nowhere.parquet"),
        (("--recent", "1d"), "ClickHouse does not answer at 127.0.0.1:1"),
    ],
)
def test_wrong_use(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    """It is said what is wrong."""
    done = run("check", contract(tmp_path), *arguments, HINDCAST_CLICKHOUSE="http://127.0.0.1:1")
    assert done.exit_code in (2, 3)
    assert says in done.output


def test_another_model_is_no_comparison(tmp_path: Path) -> None:
    """Its events are others."""
    other = contract(tmp_path, "other", model="other")
    done = run("check", contract(tmp_path), "--against", other)
    assert (done.exit_code, "is of model other, not of m" in done.output) == (2, True)


def test_a_feature_that_changes_its_kind_hides_no_new_refusal(tmp_path: Path) -> None:
    """Rows are of the kinds and with the protection of each contract, as its services send them."""
    rows = 60
    table = pa.table(
        {
            "code": [n % 3 for n in range(rows)],
            "flag": [n % 2 == 0 for n in range(rows)],
            "mail": [f"m{n % 4}" for n in range(rows)],
            "age": [None if n < 20 else 5.0 for n in range(rows)],
            "gone": [1.0] * rows,
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    old = {
        "code": {"kind": "categorical", "values": ["0", "1"], "only_listed": True},
        "flag": {"kind": "numeric", "minimum": 0, "maximum": 1},
        "mail": {"kind": "categorical", "values": ["m0", "m1", "m2", "m3"], "only_listed": True},
        "age": {"kind": "numeric"},
        "gone": {"kind": "numeric", "required": True},
    }
    new = {
        "code": {"kind": "numeric", "minimum": 0},
        "flag": {"kind": "categorical", "values": ["true", "false"], "only_listed": True},
        "mail": {"kind": "categorical", "pii": "hash"},
        "age": {"kind": "numeric", "required": True},
    }
    before = contract(tmp_path, "before", on_violation="reject", features=old)
    after = contract(tmp_path, "after", on_violation="reject", features=new)
    done = run("check", after, "--data", tmp_path / "t.parquet", "--against", before, "--json")
    facts = json.loads(done.output)
    # of the twenty without an age every third has a code that was refused before
    refused_before = sum(n % 3 == 2 for n in range(20))
    assert (done.exit_code, facts["rejected"]) == (1, 20)
    assert facts["against"]["newly_rejected"] == 20 - refused_before
    assert problems(facts, "no_longer") == {("missing", "age"): 0, ("unlisted", "code"): 20}


def test_rows_that_no_service_of_the_other_contract_sends_are_told(tmp_path: Path) -> None:
    """It is said which of the two contracts they do not fit."""
    pq.write_table(pa.table({"id": [2**60]}), tmp_path / "t.parquet")
    before = contract(tmp_path, "before", features={"id": {"kind": "numeric"}})
    after = contract(tmp_path, "after", features={"id": {"kind": "categorical"}})
    done = run("check", after, "--data", tmp_path / "t.parquet", "--against", before)
    assert done.exit_code == 2
    assert done.output.startswith("with the contract compared with: column id: an integer beyond 2^53")
