"""Which columns an event has, features and pseudo-columns, and how each is counted. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream_processors.map_columns import KeyedColumns, doubles
from stream_processors.profiler.treatments import Treatments
from stream_processors.sketches import DEFAULT_PRECISION, Batch, CategoricalColumn, NumericColumn
from stream_processors.sketches.column_names import DECISION, LATENCY, PROBABILITY, SCORE, column_name

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def add_columns(
    counting: Batch, events: pa.RecordBatch, features: Mapping[str, KeyedColumns], treatments: Treatments
) -> None:
    """Count every column that the events carry.

    A pseudo-column that is null (no score, no decision) is absent; a feature's null is counted as a null.

    Args:
        counting: where to.
        events: rows of prediction.v1.
        features: their maps ``numeric_features``, ``categorical_features`` and ``probabilities`` taken apart.
        treatments: says precisions and lists.
    """
    by_precision: dict[int, list[NumericColumn]] = {}
    for column, precisions in _numbers(events, features, treatments):
        for precision, mask in precisions:
            by_precision.setdefault(precision, []).append(column if mask is None else _part(column, mask))
    for precision, columns in by_precision.items():
        counting.add_numbers(columns, precision)
    counting.add_strings(_strings(events, features["categorical_features"], treatments))


_Precisions = list[tuple[int, Mask | None]]


def _numbers(
    events: pa.RecordBatch, features: Mapping[str, KeyedColumns], treatments: Treatments
) -> Iterator[tuple[NumericColumn, _Precisions]]:
    """Numeric columns, each with its precisions and the rows that each is of."""
    numeric, probabilities = features["numeric_features"], features["probabilities"]
    for name in numeric.names:
        rows = numeric.rows(name)
        column = NumericColumn(column_name(name), *numeric.numbers(name), rows)
        yield column, treatments.precisions(name, rows)
    values, rows = _carried(events.column("score"))
    if len(values):
        yield NumericColumn(SCORE, *doubles(values), rows), treatments.score_precisions(rows)
    values, rows = _carried(events.column("latency_ms"))
    if len(values):
        yield NumericColumn(LATENCY, *doubles(values), rows), [(DEFAULT_PRECISION, None)]
    for name in probabilities.names:
        rows = probabilities.rows(name)
        column = NumericColumn(PROBABILITY + name, *probabilities.numbers(name), rows)
        yield column, treatments.score_precisions(rows)


def _strings(
    events: pa.RecordBatch, categorical: KeyedColumns, treatments: Treatments
) -> Iterator[CategoricalColumn]:
    """Categorical columns, taken apart by their lists."""
    for name in categorical.names:
        rows, values = categorical.rows(name), categorical.values(name)
        for listed, mask in treatments.lists(name, rows):
            if mask is None:
                yield CategoricalColumn(column_name(name), values, listed, rows)
            else:
                part = values.filter(pa.array(mask))
                yield CategoricalColumn(column_name(name), part, listed, _of(rows, mask))
    decisions, rows = _carried(events.column("decision"))
    if len(decisions):
        yield CategoricalColumn(DECISION, decisions, None, rows)


def _part(column: NumericColumn, mask: Mask) -> NumericColumn:
    """The column of the rows that the mask says."""
    valid = None if column.valid is None else column.valid[mask]
    return NumericColumn(column.name, column.values[mask], valid, _of(column.rows, mask))


def _of(rows: npt.NDArray[np.integer] | None, mask: Mask) -> Rows:
    chosen = np.flatnonzero(mask) if rows is None else rows[mask]
    return chosen.astype(np.int64, copy=False)


def _carried(field: pa.Array) -> tuple[pa.Array, Rows | None]:
    if not field.null_count:
        return field, None
    rows = np.flatnonzero(field.is_valid().to_numpy(zero_copy_only=False))
    return field.drop_null(), rows
