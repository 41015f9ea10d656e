"""The columns that every recorded row carries beside its own: where in Kafka it came from, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]

MICROS = pa.timestamp("us", "UTC")


def constant(value: object, kind: pa.DataType, rows: int) -> pa.Array:
    """One value, ``rows`` times."""
    return pa.repeat(pa.scalar(value, kind), rows)


def one_text(text: str, rows: int) -> pa.DictionaryArray:
    """One text, ``rows`` times, as a dictionary of one entry: what LowCardinality is made of."""
    return pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(rows, dtype=np.int8)), pa.array([text], pa.string())
    )


def times(micros: Ints) -> pa.Array:
    """Microseconds since the epoch as UTC timestamps."""
    return pa.array(micros, pa.int64()).view(MICROS)


@dataclass(frozen=True, eq=False)
class Provenance:
    """Where rows came from: one entry per row.

    Attributes:
        topic_id: Kafka's UUID of the topic.
        partitions, offsets: of the message.
        appended: its append time, microseconds since the epoch.
        recorded_at: now, microseconds since the epoch.
        row, rows: which row of its message each is, and of how many; None where a message makes one row.
    """

    topic_id: str
    partitions: Ints
    offsets: Ints
    appended: Ints
    recorded_at: int
    row: Ints | None = None
    rows: Ints | None = None

    def take(self, places: Ints, row: Ints | None = None, rows: Ints | None = None) -> Provenance:
        """The provenance of other rows, made of the messages at ``places``."""
        return Provenance(
            self.topic_id,
            self.partitions[places],
            self.offsets[places],
            self.appended[places],
            self.recorded_at,
            row,
            rows,
        )

    def columns(self) -> dict[str, pa.Array]:
        """``_topic_id`` to ``_recorded_at``, as the tables have them."""
        count = len(self.offsets)
        small = pa.uint32()
        return {
            "_topic_id": one_text(self.topic_id, count),
            "_partition": pa.array(self.partitions).cast(small),
            "_offset": pa.array(self.offsets).cast(pa.uint64()),
            "_row": constant(0, small, count) if self.row is None else pa.array(self.row).cast(small),
            "_rows": constant(1, small, count) if self.rows is None else pa.array(self.rows).cast(small),
            "_appended_at": times(self.appended),
            "_recorded_at": constant(self.recorded_at, pa.int64(), count).view(MICROS),
        }
