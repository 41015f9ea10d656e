"""Columns that libraries give in unusual forms are sketched as the plain ones, or refused in one line."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sketch_inputs import categorical_counts

from producers.errors import ConfigError, InvalidEvent
from stream_processors.contracts.infer import infer
from stream_processors.contracts.model import Contract
from stream_processors.sketches import CategoricalSketch, ColumnSketch, TableSketch, sketch_of, sketch_table

PLAN = ["gold", None, "tin", "gold"]
ENUM = pl.Enum(["tin", "gold", "lead"])
OF_POLARS = [
    pl.Series(PLAN, dtype=pl.Categorical),
    pl.Series(PLAN, dtype=ENUM),
    pl.Series(PLAN, dtype=pl.Categorical).append(pl.Series([], dtype=pl.Categorical)),
]


def counts(sketch: ColumnSketch) -> tuple[Any, ...]:
    """Everything of a categorical sketch."""
    assert isinstance(sketch, CategoricalSketch)
    return categorical_counts(sketch)


@pytest.mark.parametrize("column", [*OF_POLARS, pd.Series(PLAN, dtype="category")])
def test_dictionaries_are_their_texts(column: Any) -> None:
    """Categoricals and enums of polars and pandas have the sketch of plain text: alone, in a table, and as decisions."""
    frame = column.to_frame("plan") if isinstance(column, pl.Series) else pd.DataFrame({"plan": column})
    plain = pa.table({"plan": PLAN})
    assert counts(sketch_of(column)) == counts(sketch_of(PLAN))
    assert counts(sketch_table(frame)["plan"]) == counts(sketch_table(plain)["plan"])
    decided = [sketch_table(one, decision_column="plan")["@decision"] for one in (frame, plain)]
    assert counts(decided[0]) == counts(decided[1])


def test_dictionaries_of_other_types_are_no_text() -> None:
    """Categories of pandas that are numbers or times are no features, and a single column of them is refused."""
    times = pd.Series(pd.to_datetime(["2026-01-01", "2026-01-02"])).astype("category")
    frame = pd.DataFrame({"x": [1.0, 2.0], "at": times, "halves": pd.Series([0.5, 1.5]).astype("category")})
    assert set(sketch_table(frame)) == {"x"}
    with pytest.raises(ConfigError, match="text or booleans is wanted"):
        sketch_of(times)


def test_an_index_without_a_name_is_no_feature() -> None:
    """One without a name is pandas' own; one with a name is a column, and a contract may name any."""
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0]}, index=[4, 9, 2])
    assert set(sketch_table(frame)) == {"x"}
    assert set(sketch_table(frame.rename_axis("row"))) == {"x", "row"}
    named = Contract.model_validate({"model": "m", "features": {"__index_level_0__": {"kind": "numeric"}}})
    assert set(sketch_table(frame, named)) == {"x", "__index_level_0__"}


@pytest.mark.parametrize(
    "empty", [[], [None, None], pd.Series([None], dtype=object), pl.Series([None]), pa.nulls(3)]
)
def test_a_chunk_without_values_has_the_sketch_of_its_list(empty: Any) -> None:
    """A column cut into chunks is the whole column, also where a chunk has nulls only, or no rows."""
    found = sketch_of(empty, listed=["gold"])
    assert counts(found) == counts(CategoricalSketch.of([None] * len(empty), ["gold"]))
    parts = [TableSketch(one.n, {"plan": one}) for one in (found, sketch_of(PLAN, listed=["gold"]))]
    whole = sketch_of([*[None] * len(empty), *PLAN], listed=["gold"])
    assert counts(TableSketch.merged(parts)["plan"]) == counts(whole)


@pytest.mark.parametrize(("listed", "none"), [("ab", "'ab'"), ([1, 2], "1"), (["a", None], "None")])
def test_a_list_is_of_texts(listed: Any, none: str) -> None:
    """A text alone would be taken for a list of its letters, and numbers are never values of a category."""
    with pytest.raises(ConfigError, match=f"a list of texts is wanted.*; {none} is none"):
        sketch_of(["ab"], listed=listed)


def test_a_text_alone_excludes_nothing() -> None:
    """It would be a list of its letters, which may be columns too."""
    table = pa.table({"a": [1.0], "b": [2.0], "ab": [3.0]})
    for take in (sketch_table, partial(infer, model="m")):
        with pytest.raises(ConfigError, match=r"columns to exclude are a list, such as \['ab'\]"):
            take(table, exclude="ab")


@pytest.mark.parametrize(
    "table",
    [
        pa.table([[1], [2]], names=["amount", "amount"]),
        pa.record_batch([pa.array([1]), pa.array([2])], names=["amount", "amount"]),
        pd.DataFrame([[1, 2]], columns=["amount", "amount"]),
    ],
)
def test_a_name_that_stands_twice_is_told(table: Any) -> None:
    """Which of the two is meant, nobody knows."""
    with pytest.raises(ConfigError, match="the data have two columns amount"):
        sketch_table(table)


@pytest.mark.parametrize("values", [[2**63], [2**70, 1], np.array([2**70], dtype=object)])
def test_integers_beyond_64_bits_are_refused(values: Any) -> None:
    """In a column and in a table."""
    with pytest.raises(ConfigError, match="beyond 64 bits"):
        sketch_of(values)
    with pytest.raises(InvalidEvent, match="beyond 64 bits"):
        sketch_table(pd.DataFrame({"x": pd.Series([2**70, 1], dtype=object)}))


def test_a_decision_that_is_no_text_is_refused() -> None:
    """Rather than left out in silence; one that is null throughout is none."""
    with pytest.raises(ConfigError, match="column said is of type double: a text is wanted"):
        sketch_table(pa.table({"x": [1.0], "said": [0.5]}), decision_column="said")
    assert set(sketch_table(pa.table({"x": [1.0], "said": pa.nulls(1)}), decision_column="said")) == {"x"}
