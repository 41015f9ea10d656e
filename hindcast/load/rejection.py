"""Rows that a model's contract rejects: the recorder would make dead letters of them, and stop at too many."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from producers.arrow_memory import whole
from producers.rows import Rows
from stream_processors.contracts.effect import ContractHistory
from stream_processors.contracts.violations import violations

_MAPS = {"numeric_features": pa.float64(), "categorical_features": pa.string()}


def rejected(rows: Rows, history: ContractHistory, model: str, now: int) -> Counter[str]:
    """What rows break of the contracts that reject, such as ``missing:age``, and how many break it; ``now`` in µs."""
    found: Counter[str] = Counter()
    environments = rows.fields["environment"]
    for environment in pc.unique(environments).to_pylist():
        applying = history.applying(model, environment, now)
        if applying is not None and applying.contract.on_violation == "reject":
            own = pc.equal(environments, environment)
            batch = _batch(rows, own)
            places = np.zeros(batch.num_rows, dtype=np.int64)
            for text, broken in violations(batch, [applying.contract], places):
                found[text] += broken.size
    return found


def _batch(rows: Rows, own: pa.ChunkedArray) -> pa.RecordBatch:
    """What contracts are about, of those rows, as the recorder decodes it."""
    status = whole(rows.fields["status"].filter(own))
    maps = {name: _map([(key, whole(column.filter(own))) for key, column in rows.maps[name]], len(status), kind)
            for name, kind in _MAPS.items()}  # fmt: skip
    entities = rows.fields.get("entity_id")
    entity_id = pa.nulls(len(status), pa.string()) if entities is None else whole(entities.filter(own))
    return pa.record_batch({**maps, "entity_id": entity_id, "status": status})


def _map(entries: list[tuple[str, pa.Array]], rows: int, kind: pa.DataType) -> pa.MapArray:
    """A map per row, its keys in the same order in every row."""
    width = len(entries)
    places = np.arange(width * rows).reshape(width, rows).T.ravel()
    items = pa.concat_arrays([column for _, column in entries]) if entries else pa.array([], kind)
    keys = pa.array([key for key, _ in entries], pa.string())
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * width)
    return pa.MapArray.from_arrays(
        offsets, keys.take(pa.array(places // max(rows, 1))), items.take(pa.array(places))
    )


def described(found: Counter[str]) -> str:
    """The same in words, the most frequent first."""
    return ", ".join(f"{text} ({count:,} rows)" for text, count in found.most_common(5))
