"""Which columns an event has, features and pseudo-columns, and how each is counted. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from stream_processors.contracts.model import Contract
from stream_processors.map_columns import KeyedColumns
from stream_processors.sketches import DEFAULT_PRECISION, Batch
from stream_processors.sketches.column_names import DECISION, LATENCY, PROBABILITY, SCORE, column_name


def add_columns(
    counting: Batch, events: pa.RecordBatch, features: Mapping[str, KeyedColumns], contract: Contract | None
) -> None:
    """Count every column of the events, which are all of one model under one contract.

    A pseudo-column that is null (no score, no decision) is absent; a feature's null is counted as a null.

    Args:
        counting: where to.
        events: rows of prediction.v1.
        features: their maps ``numeric_features``, ``categorical_features`` and ``probabilities`` taken apart.
        contract: says precisions and lists; None for the defaults.
    """
    numeric, categorical = features["numeric_features"], features["categorical_features"]
    for name in numeric.names:
        _add_numeric(
            counting, column_name(name), numeric.values(name), _precision(contract, name), numeric.rows(name)
        )
    for name in categorical.names:
        rows = categorical.rows(name)
        counting.add_categorical(
            column_name(name), categorical.values(name), listed_values(contract, name), rows
        )
    _add_unseen(counting, features, contract)
    precision = score_precision(contract)
    _add_field(counting, SCORE, events.column("score"), precision)
    _add_field(counting, LATENCY, events.column("latency_ms"), DEFAULT_PRECISION)
    for name in features["probabilities"].names:
        values, rows = features["probabilities"].values(name), features["probabilities"].rows(name)
        _add_numeric(counting, PROBABILITY + name, values, precision, rows)
    decisions, rows = _carried(events.column("decision"))
    if len(decisions):
        counting.add_categorical(DECISION, decisions, None, rows)


def _add_unseen(counting: Batch, features: Mapping[str, KeyedColumns], contract: Contract | None) -> None:
    """Features of the contract that no event carried are absent from all of them, and that is a figure too."""
    none = np.zeros(0, dtype=np.int64)
    for name, feature in contract.features.items() if contract else ():
        if feature.kind == "numeric" and name not in features["numeric_features"]:
            counting.add_numeric(column_name(name), np.zeros(0), feature.precision, None, none)
        if feature.kind == "categorical" and name not in features["categorical_features"]:
            counting.add_categorical(column_name(name), pa.array([], pa.string()), feature.values, none)


def _add_numeric(
    counting: Batch,
    column: str,
    values: pa.Array,
    precision: int,
    rows: np.ndarray[tuple[int], np.dtype[np.int64]] | None,
) -> None:
    valid = values.is_valid().to_numpy(zero_copy_only=False) if values.null_count else None
    counting.add_numeric(column, values.to_numpy(zero_copy_only=False), precision, valid, rows)


def _add_field(counting: Batch, column: str, field: pa.Array, precision: int) -> None:
    values, rows = _carried(field)
    if len(values):
        _add_numeric(counting, column, values, precision, rows)


def _carried(field: pa.Array) -> tuple[pa.Array, np.ndarray[tuple[int], np.dtype[np.int64]] | None]:
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
