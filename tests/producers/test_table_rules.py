"""A row of a table, and a value for all its rows, keep the rules of a single call; the first that does not is named."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import InvalidEvent, PredictionLogger
from producers.columns import numbers
from producers.testing import MemorySink
from producers.values import EXACT, number

IDS = ["prediction_id", "request_id", "entity_id", "model"]


@pytest.mark.parametrize("rate", [0.0, -1.0, 2.0, math.nan, math.inf])
def test_a_rate_that_is_none_is_refused(log: PredictionLogger, rate: float) -> None:
    """The recorder would make a dead letter of each such row, and stop for every model."""
    for said, where in (
        ({"sampling_rate": [1.0, 0.5, rate, rate]}, " (in row 3)"),
        ({"x": [1.0]}, ""),
    ):
        constants: dict[str, Any] = {} if where else {"sampling_rate": rate}
        with pytest.raises(InvalidEvent) as refusal:
            log.predictions(pa.table(said), features=[], **constants)
        assert str(refusal.value) == f"sampling_rate: a number above 0 and up to 1 is wanted{where}"
    assert log.stats.accepted == 0


def test_rates_are_sent(log: PredictionLogger, sink: MemorySink) -> None:
    """Every number above 0 and up to 1, whatever kind of column says it."""
    log.predictions(pa.table({"sampling_rate": [5e-324, 0.5, 1.0]}), features=[])
    log.predictions(pa.table({"sampling_rate": [1]}), features=[])
    log.flush()
    assert [record["sampling_rate"] for record in sink.records("predictions")] == [5e-324, 0.5, 1.0, 1.0]


@pytest.mark.parametrize("field", IDS)
def test_an_empty_id_of_a_prediction_is_refused(log: PredictionLogger, field: str) -> None:
    """Rows without an id would become one row; as a column, as a column of categories, and for all rows."""
    for ids in (pa.array(["a", "b", ""]), pa.array(["a", "b", ""]).dictionary_encode()):
        with pytest.raises(InvalidEvent) as refusal:
            log.predictions(pa.table({field: ids}), features=[])
        assert (str(refusal.value), refusal.value.row) == (f"{field}: is empty (in row 3)", 3)
    with pytest.raises(InvalidEvent, match=f"{field}: is empty$"):
        log.predictions(pa.table({"x": [1.0]}), features=["x"], **{field: ""})
    assert log.stats.accepted == 0


@pytest.mark.parametrize("field", ["prediction_id", "label_id"])
def test_an_empty_id_of_a_label_is_refused(log: PredictionLogger, field: str) -> None:
    """Neither the label nor what it is about can be without a name."""
    table = pa.table({"prediction_id": ["a", "b"], "label_id": ["c", "d"], "truth": ["x", "y"]})
    place = table.column_names.index(field)
    with pytest.raises(InvalidEvent, match=rf"{field}: is empty \(in row 2\)"):
        log.labels(table.set_column(place, field, pa.array(["a", ""])))
    with pytest.raises(InvalidEvent, match=f"{field}: is empty$"):
        log.labels(table, **{field: ""})


def test_ids_that_are_not_said_stay_unsaid(log: PredictionLogger, sink: MemorySink) -> None:
    """A null is no empty id where there may be none."""
    log.predictions(pa.table({"entity_id": ["a", None]}), features=[], request_id=None)
    log.flush()
    assert [record["entity_id"] for record in sink.records("predictions")] == ["a", None]


@pytest.mark.parametrize("served", ["false", 0, 0.5, None])
def test_served_is_a_boolean_for_all_rows_too(log: PredictionLogger, served: object) -> None:
    """A word is no truth value: the text ``false`` would be true."""
    with pytest.raises(InvalidEvent, match="served"):
        log.predictions(pa.table({"x": [1.0]}), features=["x"], served=served)


def test_a_text_for_all_rows_has_utf_8(log: PredictionLogger) -> None:
    """Half of a character is refused by the field's name, as Arrow's own error names nothing."""
    with pytest.raises(InvalidEvent, match="decision: has no UTF-8"):
        log.predictions(pa.table({"x": [1.0]}), features=["x"], decision="a\ud800")


def test_an_error_makes_the_status_an_error(log: PredictionLogger, sink: MemorySink) -> None:
    """As in a single call: where an error is said and the status is not, or says ok; any other status stays."""
    errors = [None, "E", "E", "E", ""]
    statuses = ["ok", "ok", "cancelled", "error", "ok"]
    log.predictions(pa.table({"error": errors}), features=[])
    log.predictions(pa.table({"error": errors, "status": statuses}), features=[])
    log.predictions(pa.table({"x": [1.0]}), features=["x"], error="E")
    for error, status in zip(errors, statuses, strict=True):
        log.prediction(features={}, error=error, status=status)
    log.flush()
    said = [record["status"] for record in sink.records("predictions")]
    assert said[:5] == ["ok", "error", "error", "error", "error"]
    assert said[5:10] == ["ok", "error", "cancelled", "error", "error"] == said[11:]
    assert said[10] == "error"


def made_of(action: Callable[[], list[float | None]]) -> Any:
    """What an action makes, or the problem that it names."""
    try:
        return action()
    except InvalidEvent as refusal:
        return refusal.problem


_KINDS = [
    pa.decimal64(18, 0), pa.decimal64(18, 1), pa.decimal128(10, 2), pa.decimal128(20, 0), pa.decimal128(38, 10),
    pa.decimal128(38, 38), pa.decimal256(76, 20),
]  # fmt: skip


@given(st.data(), st.sampled_from(_KINDS))
def test_a_column_of_decimals_is_of_their_doubles(data: Any, kind: Any) -> None:
    """Each is the nearest double, or refused where it is whole and that is another number: in a column as alone."""
    most = 10**kind.precision - 1
    near = [
        10**kind.scale * whole
        for base in (EXACT, 2 * EXACT, 2**60, 10**22)
        for whole in range(base - 3, base + 4)
        if 10**kind.scale * whole <= most
    ]
    digits = st.integers(-most, most) | st.integers(-99, 99) | st.sampled_from([*near, 0])
    values = [
        Decimal((int(one < 0), tuple(map(int, str(abs(one)))), -kind.scale))
        for one in data.draw(st.lists(digits, max_size=3))
    ]
    column = pa.chunked_array([pa.array([*values, None], kind)])
    alone = [made_of(lambda: [number("x", value)]) for value in [*values, None]]  # noqa: B023 - called at once
    refused = {one for one in alone if isinstance(one, str)}
    together = made_of(lambda: numbers("x", column).to_pylist())
    assert together in refused if refused else together == [one[0] for one in alone]


def test_a_whole_decimal_beyond_a_double_is_refused(log: PredictionLogger) -> None:
    """Databases give their ids as such columns; what a double holds, however large, is taken."""
    column = pa.array([Decimal(1), Decimal(2**53 + 1)], pa.decimal128(20, 0))
    for said in ({"features": ["x"]}, {"features": [], "columns": {"score": "x"}}):
        with pytest.raises(InvalidEvent, match="an integer beyond 2\\^53 changes as a double"):
            log.predictions(pa.table({"x": column}), **said)
    with pytest.raises(InvalidEvent, match="truth_value: an integer beyond"):
        log.labels(pa.table({"prediction_id": ["a", "b"], "truth": column}))
    log.predictions(pa.table({"x": pa.array([Decimal(10**18)], pa.decimal128(20, 0))}), features=["x"])
    assert log.stats.accepted == 1
