"""A contract and its baseline from a table."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from producers.codec import decode, encode
from producers.errors import ConfigError
from stream_processors.contracts.infer import baseline, infer, precision_of
from stream_processors.contracts.model import Contract
from stream_processors.sketches import NumericSketch, histogram_bins, numeric_sketch

START = datetime(2026, 1, 1, tzinfo=UTC)
RANDOM = np.random.default_rng(7)


def table(n: int = 3_000) -> pa.Table:
    """Training data of five days."""
    amounts = RANDOM.lognormal(3, 1, n)
    return pa.table(
        {
            "at": [START + timedelta(minutes=int(m)) for m in RANDOM.integers(0, 5 * 1440, n)],
            "amount": [None if i % 100 == 0 else float(a) for i, a in enumerate(amounts)],
            "year": pa.array(RANDOM.integers(1990, 2025, n)),
            "vip": pa.array(RANDOM.random(n) < 0.1),
            "city": [f"c{int(i)}" for i in RANDOM.geometric(0.02, n)],
            "word": [f"w{i % 1200}" for i in range(n)],
            "id": [f"id{i}" for i in range(n)],
            "seen": [START] * n,
            "p": RANDOM.random(n),
            "said": RANDOM.choice(["yes", "no"], n).tolist(),
            "truth": RANDOM.choice(["yes", "no"], n).tolist(),
        }
    )


DATA = table()
ROLES: dict[str, Any] = {"time_column": "at", "score_column": "p", "decision_column": "said"}


def inferred(**more: Any) -> tuple[Contract, list[dict[str, Any]]]:
    """What is inferred from the data."""
    arguments = {"model": "shop", **ROLES, "exclude": ["truth"], "base": "1d", "slice_by": [["city"]], **more}
    return infer(DATA, **arguments)


@pytest.mark.parametrize("base", ["1d", "1h", 60, 1])
def test_a_baseline_is_of_days_whatever_the_base_window(base: int | str) -> None:
    """No shorter window is judged against it, and a second of training data holds hardly a row."""
    contract, found = inferred(base=base)
    days = {(one["window_start"], one["window_end"]) for one in found}
    assert days == {(START + timedelta(days=day), START + timedelta(days=day + 1)) for day in range(5)}
    assert {one["shape"] for one in found} == {contract.shape()}
    assert sum(one["events"] for one in found if not one["slice"]) == DATA.num_rows


def test_features() -> None:
    """Numbers are numeric, text and booleans categorical, other types and roles no features; columns without nulls are required."""
    contract, _ = inferred()
    kinds = {name: (one.kind, one.required) for name, one in contract.features.items()}
    assert kinds == {
        "amount": ("numeric", False),
        "year": ("numeric", True),
        "vip": ("categorical", True),
        "city": ("categorical", True),
        "word": ("categorical", True),
        "id": ("categorical", True),
    }
    assert contract.features["year"].precision == 20
    assert contract.features["city"].values is None
    assert len(contract.features["word"].values or ()) == 100
    assert contract.features["id"].values == ()
    assert contract.prediction.classes == ("no", "yes")
    assert (contract.windows.base, contract.windows.rollups) == (86400, ())


def test_slices_are_the_most_frequent_values() -> None:
    """A slicing lists the 100 most frequent values; pairs are listed as pairs."""
    (one,) = inferred()[0].slices
    counts = Counter(DATA.column("city").to_pylist())
    assert len(one.values) == 100
    least = min(counts[value] for (value,) in one.values)
    assert all(count <= least for city, count in counts.items() if (city,) not in one.values)
    (pair,) = inferred(slice_by=[["vip", "said"]], decision_column=None)[0].slices
    assert set(pair.values) == {("true", "yes"), ("true", "no"), ("false", "yes"), ("false", "no")}


def test_yaml_round_trip() -> None:
    """The contract written as YAML and read back is the same contract, with durations as people write them."""
    contract, _ = inferred()
    text = contract.to_yaml()
    assert Contract.from_yaml(text) == contract
    assert "base: 1d" in text
    assert "year: {kind: numeric, required: true, precision: 20}" in text


@pytest.mark.parametrize(
    "values",
    [
        RANDOM.normal(0, 1, 20_000),
        RANDOM.lognormal(0, 2, 20_000),
        RANDOM.normal(288.0, 5, 20_000),
        RANDOM.normal(-1e6, 30, 20_000),
        np.concatenate([np.zeros(15_000), RANDOM.random(5_000)]),
    ],
)
def test_precision_is_the_smallest_that_resolves(values: np.ndarray[Any, Any]) -> None:
    """At the precision chosen no bin of the middle holds more than 1/64 of the rows unless it is one value; at one less some bin does."""
    chosen = precision_of(values)

    def resolves(precision: int) -> bool:
        low, high = histogram_bins(np.quantile(values, [0.01, 0.99]), precision)
        bins = histogram_bins(values, precision)
        for edge, count in Counter(bins.tolist()).items():
            repeated = len(set(values[bins == edge].tolist())) == 1
            if low <= edge <= high and count > values.size / 64 and not repeated:
                return False
        return True

    assert resolves(chosen)
    assert chosen == 0 or not resolves(chosen - 1)


def test_few_values_are_exact() -> None:
    """A column of at most 256 distinct values is counted exactly; one that is empty or not finite has no trouble."""
    assert precision_of(RANDOM.integers(0, 200, 5_000).astype(float)) == 20
    assert precision_of(np.array([])) == 20
    assert precision_of(np.array([np.nan, np.inf])) == 20


def test_baseline_is_a_series_of_windows() -> None:
    """There is a sketch per day and slice, and the days add up to the table, bin for bin."""
    contract, sketches = inferred()
    whole = [one for one in sketches if one["slice"] == ""]
    assert [one["window_start"] for one in whole] == [START + timedelta(days=day) for day in range(5)]
    assert sum(one["events"] for one in whole) == DATA.num_rows
    parts = [numeric_sketch(c) for one in whole for c in one["numeric"] if c["column"] == "amount"]
    amounts = DATA.column("amount").drop_null().to_numpy()
    expected = NumericSketch.of(amounts, contract.features["amount"].precision)
    merged = NumericSketch.merged(parts)
    assert (merged.bins.tolist(), merged.counts.tolist()) == (
        expected.bins.tolist(),
        expected.counts.tolist(),
    )
    assert merged.nulls == DATA.num_rows - amounts.size
    columns = {c["column"] for one in whole for kind in ("numeric", "categorical") for c in one[kind]}
    assert columns == {"amount", "year", "vip", "city", "word", "id", "@score", "@decision"}
    assert {one["slice"] for one in sketches} == {
        "",
        "city=@other",
        *(f"city={value}" for (value,) in contract.slices[0].values),
    }
    assert {(one["kind"], one["model_version"], one["shape"]) for one in sketches} == {
        ("reference", "", contract.shape())
    }
    assert all(decode(encode("sketch", one))[1]["events"] == one["events"] for one in sketches)


def test_baseline_can_be_made_again() -> None:
    """The same contract and table give the same sketches; an edited contract gives sketches of its own shape."""
    contract, sketches = inferred()
    assert baseline(contract, DATA, **ROLES) == sketches
    edited = contract.model_copy(
        update={
            "features": {
                "amount": contract.features["amount"].model_copy(update={"precision": 3}),
                "year": contract.features["year"].model_copy(update={"kind": "categorical"}),
            }
        }
    )
    again = baseline(edited, DATA, **ROLES)
    assert {one["shape"] for one in again} == {edited.shape()} != {contract.shape()}
    assert all(c["precision"] == 3 for one in again for c in one["numeric"] if c["column"] == "amount")
    assert all({c["column"] for c in one["categorical"]} == {"year", "@decision"} for one in again)


def test_without_times() -> None:
    """Data without times are one window."""
    _, sketches = inferred(time_column=None, slice_by=[], exclude=["truth", "at"])
    (one,) = sketches
    assert (one["events"], one["window_start"]) == (DATA.num_rows, datetime(1970, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"time_column": "nope"}, "no column nope"),
        ({"time_column": "amount"}, "a timestamp is wanted"),
        ({"score_column": "city"}, "a number is wanted"),
        ({"slice_by": [["amount"]]}, "not a categorical column"),
        ({"base": "7min"}, "must divide a day"),
    ],
)
def test_mistakes(arguments: dict[str, Any], says: str) -> None:
    """A column that is not there or of the wrong type is one line that says so."""
    with pytest.raises(ConfigError, match=says):
        inferred(**arguments)


def test_baseline_of_other_data() -> None:
    """Data that lack a feature of the contract, or have it as text, are refused."""
    contract, _ = inferred()
    with pytest.raises(ConfigError, match="no column year"):
        baseline(contract, DATA.drop_columns(["year"]), **ROLES)
    text = DATA.set_column(1, "amount", pa.array(["x"] * DATA.num_rows))
    with pytest.raises(ConfigError, match="the contract says numeric"):
        baseline(contract, text, **ROLES)
