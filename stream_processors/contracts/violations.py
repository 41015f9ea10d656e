"""What of a contract a batch of events breaks. Pure and columnar: Python runs per feature, never per row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from producers.at_source.columns import bucketed, unprotected_texts
from stream_processors.contracts.model import Contract, Feature
from stream_processors.map_columns import MapColumns

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

MAX_FEATURES = 1_000
TOO_MANY_FEATURES = "too_many_features"


def violations(batch: pa.RecordBatch, contract: Contract) -> list[tuple[str, Ints]]:
    """What is broken, and the rows (rising) that break it; every row of the batch is under this contract.

    The texts are ``missing:<feature>`` (required, and absent or null; not asked of failed predictions, which often have no inputs),
    ``kind:<feature>`` (carried as the other kind), ``range:<feature>``, ``unlisted:<feature>`` and ``unprotected:<feature>`` (personal
    data as it should not have left its service; ``@entity_id`` for the entity id). A feature that its contract drops is missed by nobody.

    Args:
        batch: columns ``numeric_features``, ``categorical_features``, ``entity_id`` and ``status`` of prediction.v1.
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
        if feature.pii != "none":
            # as the other kind it cannot be a hash or a bucket
            places = (own, other) if feature.pii == "drop" else (other,)
            found.append((f"unprotected:{name}", _carried(places, name, batch.num_rows)))
        if feature.pii == "drop":
            continue
        if name in other:
            found.append((f"kind:{name}", _all_rows(other.rows(name), batch.num_rows)))
        if feature.required:
            found.append((f"missing:{name}", np.flatnonzero(answered & _missing(own, name, batch.num_rows))))
        if name in own:
            rows = _all_rows(own.rows(name), batch.num_rows)
            found += [(text, rows[mask]) for text, mask in _bad_values(own, name, feature)]
    if contract.entity_id != "none":
        plain = unprotected_texts(batch.column("entity_id"), contract.entity_id)
        found.append(("unprotected:@entity_id", np.flatnonzero(plain)))
    return [(text, rows) for text, rows in found if rows.size]


def _carried(places: Iterable[MapColumns], name: str, n: int) -> Ints:
    """Rows that carry a value of the feature, and no null, in one of the places."""
    carried = np.zeros(n, dtype=np.bool_)
    for columns in places:
        carried |= ~_missing(columns, name, n)
    return np.flatnonzero(carried)


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
        return list(_bad_categories(columns.values(name), name, feature))
    # nulls become NaN, which is outside of nothing
    return list(_bad_numbers(columns.values(name).to_numpy(zero_copy_only=False), name, feature))


def _bad_categories(values: pa.Array, name: str, feature: Feature) -> Iterator[tuple[str, Mask]]:
    if feature.pii == "hash":
        yield f"unprotected:{name}", unprotected_texts(values, "hash")
    elif feature.only_listed:
        listed = pc.is_in(values, pa.array(feature.values, pa.string()))
        unlisted = pc.and_(pc.invert(listed), values.is_valid())
        yield f"unlisted:{name}", np.asarray(unlisted.to_numpy(zero_copy_only=False))


def _bad_numbers(numbers: Floats, name: str, feature: Feature) -> Iterator[tuple[str, Mask]]:
    limits = [feature.minimum, feature.maximum]
    if feature.bucket is not None:
        plain = ~np.isnan(numbers) & (bucketed(numbers, feature.bucket) != numbers)
        yield f"unprotected:{name}", plain
        # a number within the range is in a bucket that begins within the range of buckets
        limits = [
            None if one is None else float(bucketed(np.array([one]), feature.bucket)[0]) for one in limits
        ]
    least, most = limits
    if least is None and most is None:
        return
    outside = np.zeros(numbers.size, dtype=np.bool_)
    if least is not None:
        outside |= numbers < least
    if most is not None:
        outside |= numbers > most
    yield f"range:{name}", outside
