"""A table of data as the events that a service with the contract would send. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from producers.at_source.columns import bucketed_column
from producers.at_source.pseudonyms import MARK
from producers.columns import refuse_repeated
from producers.errors import ConfigError
from stream_processors.contracts.model import Contract, Feature
from stream_processors.contracts.training_data import one_chunk, sent_column

BLOCK_ROWS = 50_000
# map entries in a block: what bounds memory where there are many features
_BLOCK_ENTRIES = 2_000_000


def table_events(
    contract: Contract, table: pa.Table, environment: str | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows as predictions made at the epoch, in blocks, with the columns that `admission.admit` wants.

    Blocks are of the same rows whatever the contract, so that two contracts can be asked about each. ``environment`` is that of the
    events; None: the contract's.

    Columns are of the kinds that `PredictionLogger.predictions` gives them, decided over all rows. Personal data is dropped, hashed and
    bucketed as the contract says (a hash is its mark alone). Columns that are no features of the contract are left out.

    Raises:
        ConfigError: no rows; two columns of one name; what a logger refuses: integers that change as doubles, a feature whose column is of
            times, lists and the like.
    """
    refuse_repeated(table.column_names)
    if not table.num_rows:
        raise ConfigError("the data have no rows")
    named = [name for name in table.column_names if name in contract.sent_features]
    columns = {name: _sent(name, table.column(name), contract.features[name]) for name in named}
    most = max(1, min(BLOCK_ROWS, _BLOCK_ENTRIES // max(1, table.num_columns)))
    where = environment or contract.environment or "production"
    for start in range(0, table.num_rows, most):
        n = min(most, table.num_rows - start)
        block = {name: one_chunk(column.slice(start, n)) for name, column in columns.items()}
        yield _events(contract, block, n, where)


def _sent(name: str, column: pa.ChunkedArray, feature: Feature) -> pa.ChunkedArray:
    sent = sent_column(name, column, feature.kind)
    if sent is None:
        raise ConfigError(
            f"column {name} is of type {column.type}: a logger sends numbers, texts and booleans, and refuses this table"
        )
    return sent


def _events(contract: Contract, columns: dict[str, pa.Array], n: int, environment: str) -> pa.RecordBatch:
    protected = {name: _protected(column, contract.features[name]) for name, column in columns.items()}
    numeric, categorical = (
        {name: column for name, column in protected.items() if column.type == kind}
        for kind in (pa.float64(), pa.string())
    )
    epoch = pa.array(np.zeros(n, dtype=np.int64)).view(pa.timestamp("us", "UTC"))
    return pa.record_batch(
        {
            "model": pa.repeat(contract.model, n),
            "model_version": pa.repeat("", n),
            "environment": pa.repeat(environment, n),
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


def _protected(column: pa.Array, feature: Feature) -> pa.Array:
    """A column as it leaves its service; texts where a bucket is wanted cannot be protected and stay."""
    if feature.bucket is not None and pa.types.is_floating(column.type):
        return bucketed_column(column, feature.bucket)
    if feature.pii == "hash":
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
