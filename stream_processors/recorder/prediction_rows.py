"""Predictions as rows: one in ``predictions`` for each that is admitted, one in ``intake`` for every message. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream_processors.admission import Admission
from stream_processors.map_columns import coded_keys
from stream_processors.recorder.provenance import Provenance, constant, times

Ints = npt.NDArray[np.int64]

_SECOND = 1_000_000
# The base window of a model without a contract; undecodable messages are counted in it.
_MINUTE = 60 * _SECOND


def prediction_rows(batch: pa.RecordBatch, admission: Admission, provenance: Provenance) -> pa.Table:
    """Rows of table ``predictions``: the admitted rows of the batch, in its order."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name in ("numeric_features", "categorical_features"):
        # ClickHouse keeps them as a dictionary
        columns[name] = coded_keys(columns[name])
    digests = [*(one.digest for one in admission.contracts), ""]
    columns |= {
        "known_at": times(admission.known_at),
        "backfilled": pa.array(admission.backfilled),
        "retention_days": _retention_days(admission),
        # -1, no contract, takes the last entry
        "contract": pa.DictionaryArray.from_arrays(
            pa.array(np.where(admission.contract < 0, len(digests) - 1, admission.contract)),
            pa.array(digests),
        ),
        "warnings": admission.warnings(),
    }
    rows = pa.table({**columns, **provenance.columns()})
    return rows if admission.admitted.all() else rows.filter(pa.array(admission.admitted))


def intake_rows(batch: pa.RecordBatch, admission: Admission, provenance: Provenance) -> pa.Table:
    """Rows of table ``intake`` for decoded messages: one each, dead letters included.

    ``prediction_id`` and ``output`` are not stored; ClickHouse makes ``prediction_id_hash`` of them.
    """
    event_time = batch.column("event_time").view(pa.int64()).to_numpy()
    base = admission.base_seconds * _SECOND
    columns = {
        **{name: batch.column(name) for name in ("prediction_id", "output")},
        **{name: batch.column(name) for name in ("model", "model_version", "environment", "served")},
        "window_start": times(event_time - np.mod(event_time, base)),
        "event_time": batch.column("event_time"),
        "producer_id": batch.column("producer_id").fill_null(""),
        "sequence": batch.column("sequence"),
        "dead_letter": pa.array(~admission.admitted),
        "retention_days": _retention_days(admission),
    }
    return pa.table({**columns, **provenance.columns()})


def undecoded_intake_rows(provenance: Provenance) -> pa.Table:
    """Rows of table ``intake`` for messages that nothing decodes: they stand at their append time, under no model."""
    count = len(provenance.offsets)
    empty = constant("", pa.string(), count)
    names: Sequence[str] = ("prediction_id", "output", "model", "model_version", "environment", "producer_id")
    columns = {
        **dict.fromkeys(names, empty),
        "served": constant(value=True, kind=pa.bool_(), rows=count),
        "window_start": times(provenance.appended - np.mod(provenance.appended, _MINUTE)),
        "event_time": times(provenance.appended),
        "sequence": pa.nulls(count, pa.int64()),
        "dead_letter": constant(value=True, kind=pa.bool_(), rows=count),
        "retention_days": constant(0, pa.uint32(), count),
    }
    return pa.table({**columns, **provenance.columns()})


def _retention_days(admission: Admission) -> pa.Array:
    return pa.array(admission.retention_days).cast(pa.uint32())
