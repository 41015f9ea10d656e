"""Training data that no contract can be made of are refused in one line; what is left out is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from contract_command import Ended, run

from hindcast.cli.contract_files import read_contract
from producers.errors import ConfigError
from stream_processors.contracts.baseline_file import read_baseline
from stream_processors.contracts.infer import baseline, infer
from stream_processors.contracts.model import Contract
from stream_processors.contracts.table_events import table_events

TWICE = pa.table([[1], [2]], names=["amount", "amount"])


def inferred(data: Path, *options: str) -> Ended:
    """How `hindcast contract infer` of this file ended."""
    return run("infer", data, "--model", "m", "--output", data.with_name("m.yaml"), *options)


def refused(done: Ended) -> str:
    """The one line of a command that was refused."""
    (line,) = done.output.splitlines()
    assert done.exit_code == 2
    return line


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow"])
def test_a_name_that_stands_twice_is_told(tmp_path: Path, ending: str) -> None:
    """Whatever the file, the column is named."""
    data = tmp_path / f"twice.{ending}"
    if ending == "csv":
        data.write_text("amount,amount\n1,2\n")
    elif ending == "parquet":
        pyarrow.parquet.write_table(TWICE, data)
    else:
        pyarrow.feather.write_feather(TWICE, str(data))
    assert "the data have two columns amount" in refused(inferred(data))


def test_tables_with_a_name_twice_are_refused() -> None:
    """By everything that takes a table and a contract."""
    contract = Contract.model_validate({"model": "m", "features": {"amount": {"kind": "numeric"}}})
    for take in (
        lambda: infer(TWICE, model="m"),
        lambda: baseline(contract, TWICE),
        lambda: list(table_events(contract, TWICE)),
    ):
        with pytest.raises(ConfigError, match="two columns amount"):
            take()


def test_columns_that_are_left_out_are_told(tmp_path: Path) -> None:
    """In one line, with their types; those that the command names are known to be none."""
    data = tmp_path / "data.parquet"
    columns: dict[str, Any] = {
        "amount": [1.5],
        "at": pa.array([0], pa.timestamp("us", "UTC")),
        "raw": [b"x"],
        "parts": [[1]],
        "more\nover": pa.nulls(1),
        "seen": pa.array([0], pa.timestamp("us")),
        "notes": [{"a": 1}],
    }
    pyarrow.parquet.write_table(pa.table(columns), data)
    done = inferred(data, "--time-column", "at", "--exclude", "notes")
    assert done.exit_code == 0
    (told,) = [line for line in done.output.splitlines() if line.startswith("left out")]
    assert told == (
        "left out, as no feature is of such a type: "
        "raw (binary), parts (list<element: int64>), more\\nover (null), seen (timestamp[us])"
    )
    none = inferred(
        data, "--force", "--exclude", "notes", *(f"--exclude={one}" for one in columns if one != "amount")
    )
    assert (none.exit_code, "left out" in none.output) == (0, False)


@pytest.mark.parametrize(("ending", "index"), [("parquet", "__index_level_0__"), ("csv", "''")])
def test_an_index_without_a_name_is_no_feature(tmp_path: Path, ending: str, index: str) -> None:
    """Beside rows that were shuffled, and beside all in a CSV, pandas writes it; no service sends it, and every event would lack it."""
    data = tmp_path / f"shuffled.{ending}"
    frame = pd.DataFrame({"amount": [1.5, 2.5], "plan": ["gold", "tin"]}, index=[1, 0])
    getattr(frame, f"to_{ending}")(data)
    done = inferred(data)
    assert f"left out, as an index without a name is no feature: {index} (int64)\n" in done.output
    contract = read_contract(tmp_path / "m.yaml")
    assert list(contract.features) == ["amount", "plan"]
    assert {one["column"] for one in read_baseline(tmp_path / "m.baseline.avro")[0]["numeric"]} == {"amount"}


def test_fields_of_events_are_no_features(tmp_path: Path) -> None:
    """Of a file that can be loaded as events; every event would break a contract that requires them. Training data may have such names."""
    data = tmp_path / "events.csv"
    data.write_text(
        "prediction_id,model_version,status,score,plan,amount\na,7,ok,0.5,gold,1\nb,7,ok,0.25,tin,2\n"
    )
    done = inferred(data, "--score-column", "score", "--slice-by", "plan")
    assert (
        "left out, as fields of events and no features: prediction_id, model_version, status\n" in done.output
    )
    assert list(read_contract(tmp_path / "m.yaml").features) == ["plan", "amount"]
    data.write_text("status,score,amount\nok,0.5,1\nok,0.25,2\n")
    assert "left out" not in inferred(data, "--force").output
    assert list(read_contract(tmp_path / "m.yaml").features) == ["status", "score", "amount"]


def test_what_no_contract_holds_is_told_in_a_line(tmp_path: Path) -> None:
    """Too many columns and slices by three are the contract's reason, without pydantic's words."""
    data = tmp_path / "wide.csv"
    names = [f"c{number}" for number in range(1_001)]
    data.write_text(f"{','.join(names)}\n{','.join('1' for _ in names)}\n")
    assert refused(inferred(data)).endswith("more than 1,000 features")
    data.write_text("a,b,c\nx,y,z\n")
    assert (
        refused(inferred(data, "--slice-by", "a,b,c"))
        == "no contract fits: slices: a slice is by one name or by a pair"
    )


def test_no_identifier_stands_in_a_contract_or_its_baseline(tmp_path: Path) -> None:
    """Both are published and kept for ever; the columns are named, and can be hashed without another edit."""
    mails = [f"someone{n}@example.org" for n in range(2_000)]
    notes = [f"note {n} " + "word " * 20 for n in range(2_000)]
    towns = [f"town {n % 900}" for n in range(2_000)]
    columns = {"mail": mails, "notes": notes, "plan": ["basic", "plus"] * 1_000, "town": towns}
    data = tmp_path / "data.parquet"
    pyarrow.parquet.write_table(pa.table(columns), data)
    done = inferred(data)
    assert done.exit_code == 0
    (told,) = [line for line in done.output.splitlines() if "no values are named" in line]
    assert told.startswith("no values are named of mail, notes: they are identifiers or free text")
    output = data.with_name("m.yaml")
    written = output.read_text()
    sketches = read_baseline(data.with_name("m.baseline.avro"))
    assert "example.org" not in written + str(sketches)
    assert "basic" in str(sketches)
    assert run("check", output).exit_code == 0
    output.write_text(written.replace("mail: {kind: categorical,", "mail: {kind: categorical, pii: hash,"))
    assert run("baseline", output, data).exit_code == 0
    assert run("check", output, "--data", data).exit_code == 0


@pytest.mark.parametrize(
    "times",
    [
        pa.array([253_402_300_800_000_000], pa.timestamp("us")),
        pa.array([0, -(2**62)], pa.timestamp("us", "UTC")),
        pa.array([2**61], pa.timestamp("s")),
        pa.array([2**31 - 1], pa.date32()),
    ],
)
def test_times_out_of_range_are_told(tmp_path: Path, times: pa.Array) -> None:
    """Events cannot have them either; nanoseconds in range are cut to microseconds."""
    table = pa.table({"at": times, "amount": pa.array([1.0] * len(times))})
    with pytest.raises(ConfigError, match="column at has times outside the years 1900 to 2299"):
        infer(table, model="m", time_column="at")
    within = pa.table({"at": pa.array([1_999], pa.timestamp("ns")), "amount": [1.0]})
    assert infer(within, model="m", time_column="at", base="1s")[1][0]["events"] == 1


def test_text_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    """The column is named, and nothing written; one that is excluded does not matter."""
    data = tmp_path / "latin.csv"
    data.write_bytes("city,amount\nKöln,1\nBonn,2\n".encode("latin-1"))
    assert refused(inferred(data)).startswith(f"column city of {data} is not UTF-8 text")
    assert not data.with_name("m.yaml").exists()
    assert "column city is of type binary" in refused(inferred(data, "--decision-column", "city"))
    assert inferred(data, "--exclude", "city").exit_code == 0
    data.write_bytes("größe\n1\n".encode("latin-1"))
    assert "the names of its columns are not UTF-8" in refused(inferred(data, "--force"))


def test_integers_that_a_logger_refuses_are_no_features(tmp_path: Path) -> None:
    """They are left out and told with the logger's reason, since a first contract of them would fit no event; as an answer they are refused."""
    data = tmp_path / "data.parquet"
    large = pa.array([2**60 + n for n in range(5)])
    key = large.cast(pa.decimal128(20, 0))
    pyarrow.parquet.write_table(
        pa.table({"id": large, "key": key, "amount": [1.5] * 5, "raw": [b"x"] * 5}), data
    )
    done = inferred(data)
    assert done.exit_code == 0
    told = [line for line in done.output.splitlines() if line.startswith("left out")]
    assert told == [
        "left out, as no feature is of such a type: raw (binary)",
        "left out, as an integer beyond 2^53 changes as a double, send it as a string: id (int64), key (decimal128(20, 0))",
    ]
    assert set(infer(pa.table({"id": large, "amount": large.cast(pa.string())}), model="m")[0].features) == {
        "amount"
    }
    for name in ("id", "key"):
        said = refused(inferred(data, "--force", "--score-column", name))
        assert f"column {name}: an integer beyond 2^53" in said


def test_slices_are_by_texts_that_a_logger_sends() -> None:
    """Whole numbers of a segment are their digits; what is no category, or is an answer, is refused instead of counted as other."""
    contract = Contract.model_validate(
        {
            "model": "m",
            "features": {"x": {"kind": "numeric"}},
            "slices": [{"by": ["r"], "values": [["1"], ["2"]]}],
        }
    )
    x = [1.0, 2.0, 3.0]
    records = [baseline(contract, pa.table({"x": x, "r": r})) for r in ([1, 2, 2], ["1", "2", "2"])]
    assert records[0] == records[1]
    assert [(one["slice"], one["events"]) for one in records[0]] == [("", 3), ("r=1", 1), ("r=2", 2)]
    with pytest.raises(ConfigError, match="no slices by r: it is not a categorical column"):
        baseline(contract, pa.table({"x": x, "r": [0.5, 1.0, 2.0]}))
    with pytest.raises(ConfigError, match="no slices by r: it is not a categorical column"):
        baseline(contract, pa.table({"x": x, "r": ["1", "2", "2"]}), decision_column="r")
