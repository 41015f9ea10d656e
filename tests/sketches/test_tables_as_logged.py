"""Columns of every type are of the kinds that a logger gives them: a table, its baseline and its stream have one sketch."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from logged_tables import logged, profiled
from sketch_inputs import all_counts, counts

from producers.codec import decode
from producers.errors import ConfigError, InvalidEvent
from stream_processors.contracts.infer import baseline, infer
from stream_processors.contracts.model import Contract
from stream_processors.sketches import CategoricalSketch, NumericSketch, TableSketch, sketch_of, sketch_table

COLUMNS: dict[str, Any] = {
    "wholes": pa.array([1, 2, None, 2]),
    "wholes of pandas": pd.Series([1, 2, None, 2]),
    "fractions": pa.array([1.0, 2.5, None, 1.0]),
    "not numbers": pa.array([1.0, float("nan"), None, 1.0]),
    "halves": np.array([1, 2, 3, 2], dtype=np.float16),
    "decimals": pa.array([Decimal("1.50"), None, Decimal("2.00"), Decimal("2.00")]),
    "whole decimals": pa.array([Decimal("1.00"), None, Decimal("2.00"), Decimal("2.00")]),
    "truths": pa.array([True, False, None, True]),
    "truths of pandas": pd.Series([True, False, True, True]),
    "words": pa.array(["a", None, "b", "a"]),
    "categories": pd.Series(["a", None, "b", "a"], dtype="category"),
    "categories of polars": pl.Series(["a", None, "b", "a"], dtype=pl.Categorical),
    "numbered categories": pd.Series([1, 2, 3, 2]).astype("category"),
    "nulls": pa.nulls(4),
    "nulls of pandas": pd.Series([None] * 4, dtype=object),
    "null words": pa.nulls(4, pa.string()),
    "null truths": pa.nulls(4, pa.bool_()),
    "null numbers": pa.nulls(4, pa.float64()),
}
ODD = {
    "large": pa.array([2**60, 1, 2, 3]),
    "times": pa.array([0, 1, 2, 3], pa.timestamp("us", "UTC")),
    "lists": pa.array([[1], [2], [3], [4]]),
}
PROMISES = [
    None,
    {"kind": "numeric", "precision": 8},
    {"kind": "categorical"},
    {"kind": "categorical", "values": ["1", "a", "true"]},
]
X = [0.5, 1.5, 2.5, 3.5]


def contract_of(promise: dict[str, Any] | None) -> Contract | None:
    """A contract of the feature `f`, unless nothing is promised."""
    return None if promise is None else Contract.model_validate({"model": "m", "features": {"f": promise}})


def table_of(column: Any) -> pa.Table:
    """The column as `f`, beside plain numbers, by way of the library that it is of."""
    if isinstance(column, pd.Series):
        return pa.table(pd.DataFrame({"f": column, "x": X}))
    if isinstance(column, pl.Series):
        return pa.table(pl.DataFrame({"f": column, "x": X}))
    return pa.table({"f": column, "x": X})


@pytest.mark.parametrize("promise", PROMISES)
@pytest.mark.parametrize("name", COLUMNS)
def test_a_table_has_the_sketch_of_what_a_logger_sends(
    name: str, promise: dict[str, Any] | None, tmp_path: Path
) -> None:
    """And so has its baseline; a column that does not arrive as what the contract says is refused by both."""
    table, contract = table_of(COLUMNS[name]), contract_of(promise)
    messages = logged(table, ["f", "x"], contract, tmp_path)
    if contract is not None and kind_of(messages) != contract.features["f"].kind:
        for take in (sketch_table, lambda table, contract: baseline(contract, table)):
            with pytest.raises(ConfigError, match=r"column f is .*, the contract says"):
                take(table, contract)
        return
    stream = profiled([messages], contract)
    assert all_counts(sketch_table(table, contract)) == all_counts(stream)
    if contract is not None:
        (record,) = baseline(contract, table)
        assert counts(TableSketch.from_record(record)["f"]) == counts(stream["f"])


def kind_of(messages: list[bytes]) -> str:
    """The kind as which the feature was sent."""
    (kind,) = {
        kind
        for message in messages
        for kind in ("numeric", "categorical")
        if "f" in decode(message)[1][f"{kind}_features"]
    }
    return kind


@pytest.mark.parametrize("promise", PROMISES)
@pytest.mark.parametrize("name", ODD)
def test_what_a_logger_refuses_has_no_sketch(
    name: str, promise: dict[str, Any] | None, tmp_path: Path
) -> None:
    """Integers beyond 2^53 are refused as numbers in the logger's words, and are digits as categories; no feature is a time or a list."""
    table, contract = table_of(ODD[name]), contract_of(promise)
    if name == "large" and promise is not None and promise["kind"] == "categorical":
        stream = profiled([logged(table, ["f", "x"], contract, tmp_path)], contract)
        assert all_counts(sketch_table(table, contract)) == all_counts(stream)
        return
    with pytest.raises(InvalidEvent) as refused:
        logged(table, ["f", "x"], contract, tmp_path)
    if name != "large" and contract is None:
        assert set(sketch_table(table)) == {"x"}
        return
    says = f"column f: {refused.value.problem}".replace("^", r"\^") if name == "large" else "column f is of"
    with pytest.raises(ConfigError, match=says):
        sketch_table(table, contract)
    if contract is not None:
        with pytest.raises(ConfigError, match=says):
            baseline(contract, table)


def test_a_table_without_a_contract_has_its_columns_of_nulls(tmp_path: Path) -> None:
    """They are numbers, as in the stream; a contract that is inferred does not guess what they may be."""
    frame = pd.DataFrame({"a": [None] * 5, "x": 1.0})
    stream = profiled([logged(frame, ["a", "x"], None, tmp_path)], None)
    found = sketch_table(frame)
    assert all_counts(found) == all_counts(stream)
    assert isinstance(found["a"], NumericSketch)
    assert (found["a"].nulls, found["a"].absent) == (5, 0)
    assert set(infer(pa.table(frame), model="m")[0].features) == {"x"}


def test_answers_are_sketched_as_they_are_logged(tmp_path: Path) -> None:
    """Truths as scores are 1 and 0, a score that is null throughout is none, and one that a logger refuses is refused."""
    frame = pd.DataFrame({"x": [1.0, 2.0], "p": [True, False], "said": [1, 2]})
    sent = logged(frame, ["x"], None, tmp_path, columns={"score": "p", "decision": "said"})
    found = sketch_table(frame, score_column="p", decision_column="said")
    assert all_counts(found) == all_counts(profiled([sent], None))
    assert set(sketch_table(pa.table({"x": [1.0], "p": pa.nulls(1)}), score_column="p")) == {"x"}
    with pytest.raises(ConfigError, match=r"column p: an integer beyond 2\^53"):
        sketch_table(pa.table({"x": [1.0], "p": [2**60]}), score_column="p")
    with pytest.raises(ConfigError, match="column p is of type string: a number is wanted"):
        sketch_table(pa.table({"x": [1.0], "p": ["a"]}), score_column="p")


def test_a_column_by_itself_follows_the_same_rule() -> None:
    """Listed integers that nulls made doubles are categories; fractions are not, nor are integers that a double does not hold numbers."""
    found = sketch_of(pd.Series([1, 2, None]), listed=["1"])
    assert isinstance(found, CategoricalSketch)
    assert counts(found) == counts(sketch_of(["1", "2", None], listed=["1"]))
    assert isinstance(sketch_of([2**60], listed=["1"]), CategoricalSketch)
    with pytest.raises(ConfigError, match="of text, booleans or integers, not of double"):
        sketch_of([1.5], listed=["1"])
    with pytest.raises(ConfigError, match=r"an integer beyond 2\^53 changes as a double"):
        sketch_of([2**60])
