"""Facts as rows: labels, deployments, contracts, stretches, outcomes, quality, drift, alerts, ledger; one row a message. Pure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stream_processors.contracts.effect import LONGEST_LEAD_MS
from stream_processors.recorder.provenance import Provenance, times

Columns = dict[str, pa.Array]
Mask = npt.NDArray[np.bool_]

# What DateTime64 holds: the years 1900 to 2299, microseconds since the epoch.
_FIRST, _LAST = -2_208_988_800_000_000, 10_413_792_000_000_000 - 1


def outside_time(batch: pa.RecordBatch) -> Mask:
    """Rows in which some time lies outside the years 1900 to 2299, which ClickHouse cannot keep."""
    outside = np.zeros(batch.num_rows, dtype=np.bool_)
    for column in batch.columns:
        if pa.types.is_timestamp(column.type) and len(column) > column.null_count:
            micros = column.view(pa.int64())
            extremes = pc.min_max(micros)
            if extremes["min"].as_py() < _FIRST or extremes["max"].as_py() > _LAST:
                beyond = pc.or_(pc.less(micros, _FIRST), pc.greater(micros, _LAST))
                outside |= beyond.fill_null(fill_value=False).to_numpy(zero_copy_only=False)
    return outside


def says_nothing(schema: str, batch: pa.RecordBatch) -> Mask:
    """Labels that say that the truth is known, and not what it is; no producer of ours sends one."""
    if schema != "label":
        return np.zeros(batch.num_rows, dtype=np.bool_)
    told = pc.is_in(batch.column("kind").cast(pa.string()), pa.array(["truth", "correction"]))
    empty = pc.and_(batch.column("truth").is_null(), batch.column("truth_value").is_null())
    return np.asarray(pc.and_(told, empty).to_numpy(zero_copy_only=False))


def _known(columns: Columns, provenance: Provenance) -> Columns:
    stated = columns["known_at"]
    appended = times(provenance.appended)
    return {
        **columns,
        "known_at": pc.coalesce(stated.cast(appended.type), appended),
        "backfilled": stated.is_valid(),
    }


def _contract(columns: Columns, provenance: Provenance) -> Columns:
    # as `PublishedContract.of` has it
    lead_ms = np.clip(columns["lead_ms"].to_numpy(), 0, LONGEST_LEAD_MS)
    earliest = pa.array(provenance.appended + lead_ms * 1000)
    wished = columns["effective_from"].view(pa.int64())
    effect = pc.max_element_wise(wished, earliest).to_numpy()
    return {**columns, "in_effect_from": times(effect)}


def _judged(columns: Columns, provenance: Provenance) -> Columns:
    return {**columns, "contract": columns["contract"].fill_null("")}


def _as_it_is(columns: Columns, provenance: Provenance) -> Columns:
    return columns


_SHAPES: dict[str, tuple[str, Callable[[Columns, Provenance], Columns]]] = {
    "label": ("labels", _known),
    "deployment": ("deployments", _known),
    "contract": ("contracts", _contract),
    "stretch": ("stretches", _as_it_is),
    "outcome": ("outcomes", _as_it_is),
    "quality": ("quality", _judged),
    "drift": ("drift", _judged),
    "alert": ("alerts", _as_it_is),
    "ledger": ("ledger", _as_it_is),
}


def fact_rows(schema: str, batch: pa.RecordBatch, provenance: Provenance) -> tuple[str, pa.Table]:
    """The table that messages of ``schema`` (such as ``label``) go to, and their rows in the order of the batch."""
    table, shape = _SHAPES[schema]
    columns = shape(dict(zip(batch.schema.names, batch.columns, strict=True)), provenance)
    return table, pa.table({**columns, **provenance.columns()})
