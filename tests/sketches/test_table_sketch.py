"""The sketch of a table is that of the stream, whatever library made the table, and comes back from Arrow and Avro."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logged_tables import NOW, profiled
from sketch_inputs import DOUBLES, PRECISIONS, WORDS, all_counts, counts

from producers.codec import decode, encode
from producers.errors import ConfigError, Undecodable
from stream_processors.contracts.infer import baseline
from stream_processors.contracts.model import Contract
from stream_processors.sketches import (
    SKETCH_SCHEMA,
    CategoricalSketch,
    NumericSketch,
    TableSketch,
    sketch_of,
    sketch_table,
)

CONTRACT = Contract.model_validate(
    {
        "model": "m",
        "features": {
            "amount": {"kind": "numeric", "precision": 9},
            "income": {"kind": "numeric", "precision": 6, "pii": "bucket", "bucket": 10},
            "never": {"kind": "numeric"},
            "unheard": {"kind": "categorical", "values": ["x"]},
            "plan": {"kind": "categorical", "values": ["gold", "tin"]},
            "@odd": {"kind": "categorical"},
            "mail": {"kind": "categorical", "pii": "hash"},
        },
    }
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "amount": st.one_of(st.none(), DOUBLES),
            "other": st.one_of(st.none(), st.floats(-1e6, 1e6)),
            "plan": st.one_of(st.none(), st.sampled_from(["gold", "tin", "lead"])),
            "@odd": st.one_of(st.none(), WORDS),
            "p": st.one_of(st.none(), st.floats(0, 1)),
            "said": st.sampled_from([None, "yes", "no"]),
        }
    ),
    min_size=1,
    max_size=30,
)
TYPES = pa.schema(
    {
        "amount": pa.float64(),
        "other": pa.float64(),
        "plan": pa.string(),
        "@odd": pa.string(),
        "p": pa.float64(),
        "said": pa.string(),
    }
)
ROLES: dict[str, Any] = {"score_column": "p", "decision_column": "said"}


def streamed(rows: list[dict[str, Any]], contract: Contract | None, cuts: list[int]) -> TableSketch:
    """The profiler's deltas of the rows as events, sent in batches that end at the cuts, merged."""
    edges = [0, *sorted({min(cut, len(rows)) for cut in cuts} - {0, len(rows)}), len(rows)]
    batches = (
        [encode("prediction", event(number, row)) for number, row in enumerate(rows[start:end])]
        for start, end in pairwise(edges)
    )
    return profiled(batches, contract)


def event(number: int, row: dict[str, Any]) -> dict[str, Any]:
    """A row as the service says it."""
    return {
        "prediction_id": str(number),
        "model": "m",
        "model_version": "1",
        "event_time": NOW,
        "numeric_features": {name: row[name] for name in ("amount", "other")},
        "categorical_features": {name: row[name] for name in ("plan", "@odd")},
        "score": row["p"],
        "decision": row["said"],
    }


@settings(deadline=None, max_examples=60)
@given(rows=ROWS, has_contract=st.booleans(), cuts=st.lists(st.integers(0, 30), max_size=3))
def test_a_table_and_a_stream_of_its_rows_have_the_same_sketch(
    rows: list[dict[str, Any]], *, has_contract: bool, cuts: list[int]
) -> None:
    """Bin for bin and value for value, absences included, with and without a contract, however the stream was cut.

    Not compared is what the contract hides: a stream counts its pseudonyms, a table has none.
    """
    contract = CONTRACT if has_contract else None
    table = sketch_table(pa.Table.from_pylist(rows, schema=TYPES), contract, **ROLES)
    stream = streamed(rows, contract, cuts)
    assert table.events == stream.events == len(rows)
    seen = {name: one for name, one in stream.columns.items() if name != "mail"}
    assert all_counts(table) == all_counts(TableSketch(stream.events, seen))
    assert all(one.n == len(rows) for one in table.columns.values())


def test_a_table_has_the_sketch_of_its_baseline() -> None:
    """`sketch_table` and the reference that is published with a contract are the same, buckets of personal data included."""
    chance = np.random.default_rng(3)
    data = pa.table(
        {
            "amount": chance.lognormal(size=500),
            "income": chance.normal(1e3, 2e2, 500),
            "plan": chance.choice(["gold", "tin", "lead"], 500),
            "mail": [f"{n}@example.org" for n in range(500)],
            "p": chance.random(500),
        }
    )
    names = {name: one for name, one in CONTRACT.features.items() if name in data.column_names}
    contract = CONTRACT.model_copy(update={"features": names})
    (record,) = baseline(contract, data, score_column="p")
    found = sketch_table(data, contract, score_column="p")
    assert all_counts(found) == all_counts(TableSketch.from_record(record))
    assert set(found) == {"amount", "income", "plan", "@score"}


def test_every_library_has_the_same_sketch() -> None:
    """Arrow, pandas and polars give one sketch; NaN is a null only where pandas says null by it."""
    plain = {"x": [1.5, None, 2.5], "n": [1, 2, 3], "c": ["a", None, "b"], "b": [True, False, True]}
    arrow = all_counts(sketch_table(pa.table(plain)))
    assert all_counts(sketch_table(pd.DataFrame(plain))) == arrow
    assert all_counts(sketch_table(pl.DataFrame(plain))) == arrow
    for name, values in plain.items():
        for column in (
            values,
            pa.array(values),
            pa.chunked_array([values]),
            pd.Series(values),
            pl.Series(values),
        ):
            assert counts(sketch_of(column)) == arrow[name]
    with_nan = [1.0, float("nan")]
    assert [
        (s.nulls, getattr(s, "nans", 0)) for s in map(sketch_of, (pd.Series(with_nan), pl.Series(with_nan)))
    ] == [
        (1, 0),
        (0, 1),
    ]
    assert isinstance(sketch_of([1, 2], listed=["1"]), CategoricalSketch)
    nothing = pd.DataFrame({"amount": [None], "plan": [None]})
    assert [one.nulls for one in map(sketch_table(nothing, CONTRACT).__getitem__, nothing)] == [1, 1]


@pytest.mark.parametrize(
    "values", [[], pa.array([], pa.float64()), np.zeros(0), pa.chunked_array([], pa.float64())]
)
def test_a_column_without_rows_has_an_empty_sketch(values: Any) -> None:
    """No rows are no error for a single column."""
    assert sketch_of(values).n == 0


@pytest.mark.parametrize(
    "values",
    [
        object(), [[1]], [1, "a"], 3, pa.array([NOW]), "text", {"x": [1.0]}, pd.DataFrame({"x": [1.0]}),
        pl.DataFrame({"x": [1.0]}), pa.table({"x": [1.0]}), pa.record_batch({"x": [1.0]}), np.zeros((2, 2)),
    ],
)  # fmt: skip
def test_what_is_no_column_is_refused(values: Any) -> None:
    """Scalars, lists of lists, mixed kinds, times, and tables are one clear error."""
    with pytest.raises(ConfigError):
        sketch_of(values)


def test_a_column_of_another_kind_than_promised_is_refused() -> None:
    """A contract's number that is text in the table, or a time, is named in the error."""
    with pytest.raises(ConfigError, match="column amount is categorical, the contract says numeric"):
        sketch_table(pa.table({"amount": ["a"]}), CONTRACT)
    with pytest.raises(ConfigError, match="column amount is of a type"):
        sketch_table(pa.table({"amount": [NOW]}), CONTRACT)
    with pytest.raises(ConfigError, match="no column nosuch"):
        sketch_table(pa.table({"x": [1.0]}), score_column="nosuch")
    for precision in (21, -1, 1.5, True):
        with pytest.raises(ValueError, match="a precision is 0 to 20"):
            sketch_of([1.0], precision=precision)  # type: ignore[arg-type]  # what a slip of the pen gives


def test_rows_of_a_view_are_refused_with_advice() -> None:
    """They do not say which values were listed, and read without that would give numbers of distinct values nobody counted."""
    rows = sketch_table(pa.table({"plan": ["a", "b"]})).to_arrow()
    with pytest.raises(ValueError, match="no column listed: rows of a view are sums; select from the table"):
        TableSketch.from_arrow(rows.drop_columns(["listed"]))


@settings(deadline=None)
@given(rows=ROWS, precision=PRECISIONS)
def test_it_comes_back_from_arrow_and_avro(rows: list[dict[str, Any]], precision: int) -> None:
    """Neither loses anything, sums included."""
    sketch = sketch_table(pa.Table.from_pylist(rows, schema=TYPES), CONTRACT, **ROLES).coarsen(precision)
    through_arrow = TableSketch.from_arrow(sketch.to_arrow())
    through_avro = TableSketch.from_avro(sketch.to_avro(model="m"))
    for found in (through_arrow, through_avro):
        assert found.events == len(rows)
        assert all_counts(found) == all_counts(sketch)
        for name in found:
            one, other = found[name], sketch[name]
            if isinstance(one, NumericSketch) and isinstance(other, NumericSketch):
                assert repr((one.sum, one.sum_of_squares)) == repr((other.sum, other.sum_of_squares))
                assert one.precision <= precision
    assert sketch.to_arrow().schema == SKETCH_SCHEMA


def test_a_message_says_where_it_comes_from() -> None:
    """The record is one of the schema, and its other fields may be set; what is no sketch is refused."""
    name, record = decode(sketch_table(pa.table({"x": [1.0]})).to_avro(model="m", slice="a=b"))
    assert (name, record["kind"], record["model"], record["slice"]) == ("sketch", "reference", "m", "a=b")
    with pytest.raises(Undecodable):
        TableSketch.from_avro(b"nothing")
    label = {
        "label_id": "1",
        "prediction_id": "p",
        "model": "m",
        "kind": "truth",
        "reported_at": 0,
        "truth": "a",
    }
    with pytest.raises(ValueError, match="of sketch is wanted, not of label"):
        TableSketch.from_avro(encode("label", label))


@pytest.mark.parametrize(
    "twice", [("numeric", "numeric"), ("categorical", "categorical"), ("numeric", "categorical")]
)
def test_a_record_that_names_a_column_twice_is_refused(twice: tuple[str, str]) -> None:
    """Neither of the two is lost in silence."""
    one = {
        "numeric": sketch_table(pa.table({"x": [1.0]})).to_record()["numeric"],
        "categorical": sketch_table(pa.table({"x": ["a"]})).to_record()["categorical"],
    }
    empty = TableSketch(1).to_record()
    for kind in twice:
        empty[kind] = empty[kind] + one[kind]
    with pytest.raises(ValueError, match="column x stands twice"):
        TableSketch.from_record(empty)
    with pytest.raises(ValueError, match="column x stands twice"):
        TableSketch.from_avro(encode("sketch", empty))


def test_rows_of_the_record_add_up() -> None:
    """Rows of a column are deltas: their counts add, `@events` says how many events there were, and a missing column is named."""
    one = sketch_table(pa.table({"x": [1.0, 2.0]}))
    rows = pa.concat_tables([one.to_arrow(), one.to_arrow()])
    events = pa.array([0, 0])
    recorded = rows.set_column(SKETCH_SCHEMA.get_field_index("events"), "events", events)
    own = pa.Table.from_pylist(
        [{"column": "@events", "column_kind": "events", "events": 5}], schema=SKETCH_SCHEMA
    )
    assert TableSketch.from_arrow(recorded).events == 4
    found = TableSketch.from_arrow(pa.concat_tables([recorded, own]))
    assert (found.events, found["x"].n, found["x"].absent) == (5, 5, 1)
    with pytest.raises(ValueError, match="no column bins"):
        TableSketch.from_arrow(rows.drop_columns(["bins"]))
    with pytest.raises(ValueError, match="no column events"):
        TableSketch.from_arrow(pa.concat_tables([recorded, own]).drop_columns(["events"]))
    with pytest.raises(ValueError, match="column_kind"):
        TableSketch.from_arrow(rows.set_column(1, "column_kind", pa.array(["other", "numeric"])))


@settings(deadline=None)
@given(tables=st.lists(ROWS, min_size=1, max_size=4), has_contract=st.booleans())
def test_rows_of_several_tables_are_the_tables_merged(
    tables: list[list[dict[str, Any]]], *, has_contract: bool
) -> None:
    """Also where a score is in some of the tables only, or in few of their rows."""
    contract = CONTRACT if has_contract else None
    made = [sketch_table(pa.Table.from_pylist(rows, schema=TYPES), contract, **ROLES) for rows in tables]
    found = TableSketch.from_arrow(pa.concat_tables([one.to_arrow() for one in made]))
    merged = TableSketch.merged(made)
    assert found.events == merged.events == sum(map(len, tables))
    assert all_counts(found) == all_counts(merged)


def test_absences_of_a_score_add_up_without_rows_of_events() -> None:
    """Each row states the events of its own table, so a column that few rows carry is absent from the rest of all of them."""
    one = sketch_table(pd.DataFrame({"s": [0.5] + [None] * 9}), score_column="s")
    found = TableSketch.from_arrow(pa.concat_tables([one.to_arrow(), one.to_arrow()]))
    assert (found.events, found["@score"].n, found["@score"].absent) == (20, 20, 18)
    parts = [sketch_table(pa.table({"x": np.arange(n, dtype=np.float64)})) for n in (100, 400)]
    dense = TableSketch.from_arrow(pa.concat_tables([part.to_arrow() for part in parts]))
    assert (dense.events, dense["x"].n, dense["x"].absent) == (500, 500, 0)


def test_merging_counts_what_one_side_never_saw_as_absent() -> None:
    """A column of one side only is absent from the other's events; one of two kinds cannot be merged."""
    merged = sketch_table(pa.table({"x": [1.0, 2.0]})).merge(sketch_table(pa.table({"y": ["a"]})))
    assert (merged.events, merged["x"].absent, merged["y"].absent) == (3, 1, 2)
    with pytest.raises(ValueError, match="column x is numeric in one sketch"):
        merged.merge(sketch_table(pa.table({"x": ["a"]})))
    with pytest.raises(ValueError, match="no sketch"):
        TableSketch.merged([])


@pytest.mark.parametrize("order", [1, -1])
def test_nulls_without_a_kind_are_nulls_of_the_categories_beside_them(order: int) -> None:
    """A part of a table in which a column is nothing but null is of no kind, so any split adds up to the whole, as rows of sketches do."""
    frame = pd.DataFrame({"plan": ["a", "b", "a", None, None, None], "x": range(6)}, dtype=object)
    whole = sketch_table(frame)
    parts = [sketch_table(frame[:3]), sketch_table(frame[3:])][::order]
    assert isinstance(parts[order == 1]["plan"], NumericSketch)
    merged = TableSketch.merged(parts)
    read = TableSketch.from_arrow(pa.concat_tables(part.to_arrow() for part in parts))
    for found in (merged, read):
        assert (found.events, all_counts(found)) == (6, all_counts(whole))
    nothing = parts[order == 1].merge(TableSketch(2, {"plan": CategoricalSketch.empty(["a", "z"])}))
    assert isinstance(nothing["plan"], CategoricalSketch)
    assert (nothing["plan"].nulls, nothing["plan"].absent) == (3, 2)


def test_both_rows_that_one_flush_has_of_a_column_account_for_its_events_once() -> None:
    """A service that does not know the feature's kind says its null as a number, and the flush has a row of numbers beside that of categories."""
    events = TableSketch(3, {"plan": CategoricalSketch.of(["a"], absent=2)})
    beside = TableSketch(3, {"plan": NumericSketch.of(np.zeros(1), 5, np.zeros(1, dtype=bool), absent=2)})
    plan = TableSketch.from_arrow(pa.concat_tables([events.to_arrow(), beside.to_arrow()]))["plan"]
    assert (plan.n, plan.nulls, plan.absent) == (3, 1, 1)


def test_parts_that_fit_merge_to_more_bins_than_the_whole_keeps() -> None:
    """Merging coarsens nothing for its size; at the whole's precision the parts are the whole again."""
    x = np.exp(np.random.default_rng(1).normal(0, 4, 8_000))
    whole, first, second = (sketch_of(part, precision=10) for part in (x, x[:4_000], x[4_000:]))
    assert isinstance(whole, NumericSketch)
    assert isinstance(first, NumericSketch)
    assert isinstance(second, NumericSketch)
    merged = first.merge(second)
    assert (whole.degraded, merged.degraded, merged.precision, merged.bins.size > 4_096) == (
        True,
        False,
        10,
        True,
    )
    coarse = merged.coarsen(whole.precision)
    assert coarse.bins.tolist() == whole.bins.tolist()
    assert coarse.counts.tolist() == whole.counts.tolist()
