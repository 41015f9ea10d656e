"""A table under its contract becomes what its rows would become one by one."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from generated_contracts import NAMES, NUMBERS, PSEUDONYMS, WORDS, contracts, source
from hypothesis import given
from hypothesis import strategies as st

from producers.at_source.contract_file import promises_of
from producers.at_source.source_contract import SourceContract
from producers.at_source.tables import AdmittedTable
from producers.bulk import encode_part
from producers.codec import decode, frame
from producers.errors import InvalidEvent
from producers.events import prediction_record
from producers.intake import Intake
from producers.limits import Limits
from producers.rows import PART_ROWS
from producers.schema_files import newest
from producers.tables import prediction_rows
from stream_processors.contracts.model import Contract

DEFAULTS = {"model": "m", "model_version": "1", "environment": "production", "event_time": 1}
COMPARED = (
    "prediction_id", "request_id", "entity_id", "environment", "numeric_features", "categorical_features", "segments", "status",
    "sampling_rate",
)  # fmt: skip
# a column is of one kind: those that are whole numbers throughout, those that are not in any row, and so on
COLUMNS = st.sampled_from(["numbers", "wholes", "fractions", "words", "truths", "nothing"])
OF_COLUMN: dict[str, st.SearchStrategy[Any]] = {
    "numbers": NUMBERS,
    "wholes": st.none() | st.integers(-50, 150),
    "fractions": st.integers(-50, 150).map(lambda n: n + 0.5),
    "words": st.none() | WORDS,
    "truths": st.none() | st.booleans(),
    "nothing": st.none(),
}
ARROW = {"numbers": pa.float64(), "wholes": pa.int64(), "fractions": pa.float64(), "words": pa.string(), "truths": pa.bool_(), "nothing": pa.null()}  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> tuple[pa.Table, list[str]]:
    """A table of a few rows, and which of its columns are features."""
    n = draw(st.integers(1, 12))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    columns: dict[str, pa.Array] = {
        "prediction_id": pa.array([f"p{i}" for i in range(n)]),
        "request_id": pa.array(column(st.none() | st.sampled_from(["r1", "r2", "r3"])), pa.string()),
        "entity_id": pa.array(column(st.none() | st.sampled_from(["e1", "e2", "e3"])), pa.string()),
        "environment": pa.array(column(st.sampled_from(["production", "staging"]))),
        "status": pa.array(column(st.sampled_from(["ok", "ok", "error"]))),
        "sampling_rate": pa.array(column(st.sampled_from([1.0, 0.5]))),
        "region": pa.array(column(st.none() | WORDS), pa.string()),
    }
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    for name in names:
        kind = draw(COLUMNS)
        columns[name] = pa.array(column(OF_COLUMN[kind]), ARROW[kind])
    return pa.table(columns), names


def admitted_table(
    contract: SourceContract, table: pa.Table, features: list[str], **more: Any
) -> AdmittedTable:
    """The table under its contract."""
    said = {"columns": {}, "probabilities": {}, "quantiles": {}, "segments": [], "constants": {}, **more}
    rows = prediction_rows(
        table, features=features, categorical=(), defaults=DEFAULTS, kinds=contract.kinds, **said
    )
    return contract.admit_table(rows)


def sent(admitted: AdmittedTable) -> list[dict[str, Any]]:
    """The rows that are sent, as records."""
    intake, head = Intake("p", Limits()), frame(newest("prediction"))
    found = []
    for part in admitted.rows.parts():
        encoded = encode_part(part, admitted.rows, head, intake)
        encoded.number(intake.reserve("predictions", encoded.rows))
        found += [comparable(decode(encoded.message(place)[1])[1]) for place in range(encoded.rows)]
    return found


def comparable(record: dict[str, Any]) -> dict[str, Any]:
    """What is compared of a record; NaN as a word, because it is equal to nothing."""
    found = {name: record[name] for name in COMPARED}
    numbers = found["numeric_features"]
    found["numeric_features"] = {
        k: "nan" if v is not None and math.isnan(v) else v for k, v in numbers.items()
    }
    return found


def one_by_one(
    contract: SourceContract, table: pa.Table, features: list[str], segments: list[str]
) -> tuple[list[dict[str, Any]], int, int]:
    """The rows as records: those that are sent, how many were sampled out, how many refused."""
    kept, sampled, invalid = [], 0, 0
    for row in table.to_pylist():
        said = {name: row[name] for name in COMPARED if name in row}
        record = prediction_record(
            **{**DEFAULTS, **said},
            features={name: row[name] for name in features},
            segments={name: row[name] for name in segments},
            kinds=contract.kinds,
        )
        try:
            found = contract.admit(record)
        except InvalidEvent:
            invalid += 1
            continue
        if found is None:
            sampled += 1
        else:
            kept.append(comparable(found))
    return kept, sampled, invalid


def comparable_features(contract: Contract, table: pa.Table, names: list[str]) -> list[str]:
    """The features whose column can be what each of its rows can be alone.

    A call cannot know of what kind a null is that no contract promises; and where an event that breaks its contract is sent, a column
    whose rows differ in kind stays of one.
    """
    refuses = contract.on_violation == "reject" and contract.environment is None
    found = []
    for name in names:
        column, promised = table[name], contract.features.get(name)
        values = [value for value in column.to_pylist() if value is not None]
        whole = {not isinstance(v, float) or (v.is_integer() and abs(v) <= 2**53) for v in values}
        if promised is None:
            fine = not column.null_count or column.type not in {pa.string(), pa.bool_()}
        elif refuses or promised.pii == "hash":
            fine = True
        elif promised.kind == "categorical":
            fine = whole != {True, False} and not (whole == {False} and column.null_count)
        else:
            fine = not (column.null_count and any(isinstance(value, str) for value in values))
        if fine:
            found.append(name)
    return found


@given(contracts(), tables())
def test_a_table_becomes_what_its_rows_become(contract: Contract, drawn: tuple[pa.Table, list[str]]) -> None:
    """Each row is sent, sampled out or refused as it would be alone, with the same features, ids and rates."""
    table, names = drawn[0], comparable_features(contract, *drawn)
    segments = ["region", *(name for name in names if pa.types.is_string(table[name].type))]
    at_source = source(contract)
    admitted = admitted_table(at_source, table, names, segments=segments)
    found = (sent(admitted), admitted.sampled.num_rows, admitted.invalid.num_rows)
    assert found == one_by_one(at_source, table, names, segments)
    assert (admitted.problem is None) == (admitted.invalid.num_rows == 0)


def contract_of(**more: Any) -> SourceContract:
    """A contract of model ``m``."""
    return SourceContract(promises_of({"model": "m", **more}, "contract"), PSEUDONYMS)


def test_a_mixed_column_stays_what_it_is() -> None:
    """Under `warn` a column some of whose numbers are no categories stays numeric, in all rows; hashed it is all hashes."""
    table = pa.table({"zip": [1.0, 1.5, None]})
    lenient = contract_of(features={"zip": {"kind": "categorical"}})
    assert [row["numeric_features"] for row in sent(admitted_table(lenient, table, ["zip"]))] == [
        {"zip": 1.0},
        {"zip": 1.5},
        {"zip": None},
    ]
    hashed = contract_of(features={"zip": {"kind": "categorical", "pii": "hash"}})
    assert [row["categorical_features"] for row in sent(admitted_table(hashed, table, ["zip"]))] == [
        {"zip": PSEUDONYMS("1")},
        {"zip": PSEUDONYMS("1.5")},
        {"zip": None},
    ]
    coarse = contract_of(features={"age": {"kind": "numeric", "pii": "bucket", "bucket": 10}})
    texts = admitted_table(coarse, pa.table({"age": ["37", None]}), ["age"])
    assert [row["categorical_features"] for row in sent(texts)] == [{"age": None}, {"age": None}]


def test_nulls_are_of_the_promised_kind() -> None:
    """A column of texts that holds none, or none that is not refused, is a column of numbers that are null."""
    for values, policy in (([None], "warn"), (["seven", None], "reject")):
        contract = contract_of(features={"age": {"kind": "numeric"}}, on_violation=policy)
        (row,) = sent(admitted_table(contract, pa.table({"age": pa.array(values, pa.string())}), ["age"]))
        assert (row["numeric_features"], row["categorical_features"]) == ({"age": None}, {})


def test_what_is_left_out_is_accounted_for() -> None:
    """Sampled and refused rows come with what their account needs, and the first breach in words without values."""
    strict = contract_of(
        features={
            "age": {"kind": "numeric", "maximum": 120},
            "plan": {"kind": "categorical", "values": ["a"], "only_listed": True},
        },
        on_violation="reject",
    )
    table = pa.table(
        {"age": [1, 200, 3, 300], "plan": ["a", "a", "secret", "a"], "environment": ["x", "y", "y", "z"]}
    )
    admitted = admitted_table(strict, table, ["age", "plan"])
    assert str(admitted.problem) == "features.age: is outside of its contract's range"
    assert admitted.invalid["environment"].to_pylist() == ["y", "y", "z"]
    assert admitted.invalid.column_names == ["model", "environment", "event_time"]
    assert [row["environment"] for row in sent(admitted)] == ["x"]
    sampled = admitted_table(contract_of(sampling_rate=1e-9), table, ["age"]).sampled
    assert sampled["environment"].to_pylist() == ["x", "y", "y", "z"]


def test_an_empty_table_stays_empty() -> None:
    """No rows, nothing to sample or refuse."""
    strict = contract_of(
        features={"zip": {"kind": "categorical", "required": True}}, on_violation="reject", sampling_rate=0.5
    )
    admitted = admitted_table(strict, pa.table({"zip": pa.array([], pa.float64())}), ["zip"])
    assert (sent(admitted), admitted.sampled.num_rows, admitted.invalid.num_rows) == ([], 0, 0)


def test_integers_of_any_size_are_categories() -> None:
    """64-bit ids for a category do not pass through a double."""
    contract = contract_of(features={"id": {"kind": "categorical"}})
    (row,) = sent(admitted_table(contract, pa.table({"id": [2**62 + 1]}), ["id"]))
    assert row["categorical_features"] == {"id": str(2**62 + 1)}


@pytest.mark.parametrize("on_violation", ["warn", "reject"])
def test_many_chunks_and_requests(on_violation: str) -> None:
    """Tables larger than a chunk keep rows and values together; all items of a request share their fate."""
    n = 2 * PART_ROWS + 7
    parts = [pa.table({"id": list(range(start, min(start + 999, n)))}) for start in range(0, n, 999)]
    table = pa.concat_tables(parts)
    table = table.append_column("request_id", pa.array([f"r{i // 3}" for i in range(n)]))
    table = table.append_column("age", pa.array([float(i % 100) for i in range(n)]))
    contract = contract_of(features={"id": {"kind": "categorical", "pii": "hash"}, "age": {"kind": "numeric", "pii": "bucket", "bucket": 10, "maximum": 97}}, on_violation=on_violation, sampling_rate=0.5)  # fmt: skip
    admitted = admitted_table(contract, table, ["id", "age"])
    rows = sent(admitted)
    assert len(rows) + admitted.sampled.num_rows + admitted.invalid.num_rows == n
    kept = {row["categorical_features"]["id"]: row for row in rows}
    for i in range(n):
        row = kept.get(PSEUDONYMS(str(i)))
        refused = on_violation == "reject" and i % 100 > 97
        fate = contract.admit(
            prediction_record(**DEFAULTS, prediction_id=f"p{i}", request_id=f"r{i // 3}", features={})
        )
        assert (row is not None) == (fate is not None and not refused)
        if row is not None:
            assert row["numeric_features"] == {"age": float(i % 100 // 10 * 10)}
            assert row["request_id"] == f"r{i // 3}"
