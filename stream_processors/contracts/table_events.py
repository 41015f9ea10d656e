"""A table of data as the events that a service with the contract would send. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from producers.at_source.columns import bucketed_column
from producers.at_source.pseudonyms import MARK
from producers.columns import refuse_repeated
from stream_processors.contracts.model import Contract, Feature
from stream_processors.contracts.training_data import Roles, TrainingData

BLOCK_ROWS = 50_000
# map entries in a block: what bounds memory where there are many features
_BLOCK_ENTRIES = 2_000_000


def table_events(contract: Contract, table: pa.Table) -> Iterator[pa.RecordBatch]:
    """The rows as predictions made at the epoch, in blocks, with the columns that `admission.admit` wants.

    Personal data is dropped, hashed and bucketed as the contract says (a hash is its mark alone). Columns that are no features of the
    contract are left out.

    Raises:
        ConfigError: no rows; two columns of one name.
    """
    refuse_repeated(table.column_names)
    named = [name for name in table.column_names if name in contract.features]
    kinds = {name: feature.kind for name, feature in contract.features.items()}
    most = max(1, min(BLOCK_ROWS, _BLOCK_ENTRIES // max(1, len(named))))
    for start in range(0, max(table.num_rows, 1), most):
        block = table.slice(start, most)
        # a table without any of the features still has rows
        data = TrainingData(block.select(named) if named else block, Roles(), kinds)
        yield _events(contract, data, block.num_rows)


def _events(contract: Contract, data: TrainingData, n: int) -> pa.RecordBatch:
    numeric, categorical = (
        {
            name: _sent(column, contract.features[name])
            for name, column in columns.items()
            if name in contract.sent_features
        }
        for columns in (data.numeric, data.categorical)
    )
    epoch = pa.array(np.zeros(n, dtype=np.int64)).view(pa.timestamp("us", "UTC"))
    return pa.record_batch(
        {
            "model": pa.repeat(contract.model, n),
            "model_version": pa.repeat("", n),
            "environment": pa.repeat(contract.environment or "production", n),
            "event_time": epoch,
            "target_time": pa.nulls(n, epoch.type),
            "known_at": pa.nulls(n, epoch.type),
            "numeric_features": _maps(numeric, n, pa.float64()),
            "categorical_features": _maps(categorical, n, pa.string()),
            "probabilities": _maps({}, n, pa.float64()),
            "entity_id": pa.nulls(n, pa.string()),
            "status": pa.repeat("ok", n),
            "sampling_rate": pa.repeat(1.0, n),
        }
    )


def _sent(column: pa.Array, feature: Feature) -> pa.Array:
    """A column as it leaves its service; one of another kind than its contract says cannot be protected and stays."""
    if feature.bucket is not None and pa.types.is_floating(column.type):
        return bucketed_column(column, feature.bucket)
    if feature.pii == "hash" and pa.types.is_string(column.type):
        return pc.if_else(column.is_valid(), MARK, pa.scalar(None, pa.string()))
    return column


def _maps(columns: dict[str, pa.Array], n: int, kind: pa.DataType) -> pa.MapArray:
    """A map per row, of every column in order."""
    width = len(columns)
    places = np.arange(n * width).reshape(width, n).T.ravel()
    ends = np.arange(n + 1, dtype=np.int32) * width
    keys = pa.array(list(columns), pa.string()).take(pa.array(np.tile(np.arange(width), n)))
    items = pa.concat_arrays([*columns.values(), pa.array([], kind)]).take(pa.array(places))
    return pa.MapArray.from_arrays(pa.array(ends, pa.int32()), keys, items)
