"""What of a contract a batch of events breaks. Pure and columnar: Python runs per feature, never per row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stream_processors.contracts.model import Contract, Feature
from stream_processors.map_columns import MapColumns

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MAX_FEATURES = 1_000
TOO_MANY_FEATURES = "too_many_features"


def violations(batch: pa.RecordBatch, contract: Contract) -> list[tuple[str, Ints]]:
    """What is broken, and the rows (rising) that break it; every row of the batch is under this contract.

    The texts are ``missing:<feature>`` (required, and absent or null; not asked of failed predictions, which often have no inputs),
    ``kind:<feature>`` (carried as the other kind), ``range:<feature>`` and ``unlisted:<feature>``.

    Args:
        batch: columns ``numeric_features``, ``categorical_features`` and ``status`` of prediction.v1.
        contract: what was promised.
    """
    columns = {
        "numeric": MapColumns(batch.column("numeric_features")),
        "categorical": MapColumns(batch.column("categorical_features")),
    }
    answered = np.asarray(pc.equal(batch.column("status"), "ok").to_numpy(zero_copy_only=False))
    found = []
    for name, feature in contract.features.items():
        own = columns[feature.kind]
        other = columns["categorical" if feature.kind == "numeric" else "numeric"]
        if name in other:
            found.append((f"kind:{name}", _all_rows(other.rows(name), batch.num_rows)))
        if feature.required:
            found.append((f"missing:{name}", np.flatnonzero(answered & _missing(own, name, batch.num_rows))))
        if name in own:
            rows = _all_rows(own.rows(name), batch.num_rows)
            found += [(text, rows[mask]) for text, mask in _bad_values(own, name, feature)]
    return [(text, rows) for text, rows in found if rows.size]


def _all_rows(rows: Ints | None, n: int) -> Ints:
    return np.arange(n, dtype=np.int64) if rows is None else rows


def _missing(columns: MapColumns, name: str, n: int) -> Mask:
    if name not in columns:
        return np.ones(n, dtype=np.bool_)
    rows = columns.rows(name)
    if rows is None and not columns.has_nulls:
        return np.zeros(n, dtype=np.bool_)
    missing = np.ones(n, dtype=np.bool_)
    present = np.asarray(columns.values(name).is_valid().to_numpy(zero_copy_only=False))
    missing[_all_rows(rows, n)[present]] = False
    return missing


def _bad_values(columns: MapColumns, name: str, feature: Feature) -> list[tuple[str, Mask]]:
    if feature.kind == "categorical":
        if not feature.only_listed:
            return []
        values = columns.values(name)
        listed = pc.is_in(values, pa.array(feature.values, pa.string()))
        unlisted = pc.and_(pc.invert(listed), values.is_valid())
        return [(f"unlisted:{name}", np.asarray(unlisted.to_numpy(zero_copy_only=False)))]
    if feature.minimum is None and feature.maximum is None:
        return []
    # nulls become NaN, which is outside of nothing
    numbers = columns.values(name).to_numpy(zero_copy_only=False)
    outside = np.zeros(numbers.size, dtype=np.bool_)
    if feature.minimum is not None:
        outside |= numbers < feature.minimum
    if feature.maximum is not None:
        outside |= numbers > feature.maximum
    return [(f"range:{name}", outside)]
