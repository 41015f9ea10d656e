"""Which columns an event has, features and pseudo-columns, and how each is counted. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream_processors.contracts.model import Contract
from stream_processors.map_columns import KeyedColumns, doubles
from stream_processors.sketches import DEFAULT_PRECISION, Batch, NumericColumn
from stream_processors.sketches.column_names import DECISION, LATENCY, PROBABILITY, SCORE, column_name

Rows = npt.NDArray[np.int64]

_NOBODY: Rows = np.zeros(0, dtype=np.int64)


def add_columns(
    counting: Batch, events: pa.RecordBatch, features: Mapping[str, KeyedColumns], contract: Contract | None
) -> None:
    """Count every column of the events, which are all under one contract, or all under none.

    A pseudo-column that is null (no score, no decision) is absent; a feature's null is counted as a null.

    Args:
        counting: where to.
        events: rows of prediction.v1.
        features: their maps ``numeric_features``, ``categorical_features`` and ``probabilities`` taken apart.
        contract: says precisions and lists; None for the defaults.
    """
    by_precision: dict[int, list[NumericColumn]] = {}
    for column, precision in _numbers(events, features, contract):
        by_precision.setdefault(precision, []).append(column)
    for precision, columns in by_precision.items():
        counting.add_numbers(columns, precision)
    categorical = features["categorical_features"]
    for name in categorical.names:
        rows = categorical.rows(name)
        counting.add_categorical(
            column_name(name), categorical.values(name), listed_values(contract, name), rows
        )
    for name, feature in contract.features.items() if contract else ():
        if feature.kind == "categorical" and name not in categorical:
            counting.add_categorical(column_name(name), pa.array([], pa.string()), feature.values, _NOBODY)
    decisions, rows = _carried(events.column("decision"))
    if len(decisions):
        counting.add_categorical(DECISION, decisions, None, rows)


def _numbers(
    events: pa.RecordBatch, features: Mapping[str, KeyedColumns], contract: Contract | None
) -> Iterator[tuple[NumericColumn, int]]:
    """Numeric columns, each with its precision.

    Features of the contract that no event carried are among them: they are absent from all, and that is a figure too.
    """
    numeric, probabilities = features["numeric_features"], features["probabilities"]
    for name in numeric.names:
        column = NumericColumn(column_name(name), *numeric.numbers(name), numeric.rows(name))
        yield column, _precision(contract, name)
    for name, feature in contract.features.items() if contract else ():
        if feature.kind == "numeric" and name not in numeric:
            yield NumericColumn(column_name(name), np.zeros(0), None, _NOBODY), feature.precision
    precision = score_precision(contract)
    for pseudo, field, bits in ((SCORE, "score", precision), (LATENCY, "latency_ms", DEFAULT_PRECISION)):
        values, rows = _carried(events.column(field))
        if len(values):
            yield NumericColumn(pseudo, *doubles(values), rows), bits
    for name in probabilities.names:
        yield (
            NumericColumn(PROBABILITY + name, *probabilities.numbers(name), probabilities.rows(name)),
            precision,
        )


def _carried(field: pa.Array) -> tuple[pa.Array, Rows | None]:
    if not field.null_count:
        return field, None
    rows = np.flatnonzero(field.is_valid().to_numpy(zero_copy_only=False))
    return field.drop_null(), rows


def _precision(contract: Contract | None, feature: str) -> int:
    promised = contract.features.get(feature) if contract else None
    return promised.precision if promised and promised.kind == "numeric" else DEFAULT_PRECISION


def score_precision(contract: Contract | None) -> int:
    """Precision of the score and of probabilities."""
    return contract.prediction.score_precision if contract else DEFAULT_PRECISION


def listed_values(contract: Contract | None, feature: str) -> tuple[str, ...] | None:
    """The categories of a feature that the contract lists; None without a list."""
    promised = contract.features.get(feature) if contract else None
    return promised.values if promised and promised.kind == "categorical" else None
