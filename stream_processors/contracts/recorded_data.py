"""Recorded predictions gathered into columns, for inferring from. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stream_processors.map_columns import MapColumns

Ints = npt.NDArray[np.int64]

_TYPES: Mapping[str, pa.DataType] = {
    "numeric_features": pa.float64(),
    "categorical_features": pa.string(),
    "segments": pa.string(),
}


class RecordedData:
    """A `training_data.FeatureData` of batches of predictions; those that failed are left out, as they often have no inputs.

    What an event does not carry is null. A feature that came as both kinds is of the kind that more events carried. Segments are
    categorical columns beside the features, unless a feature has their name.

    Attributes:
        rows: how many predictions were added.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._parts: dict[str, dict[str, list[pa.Array]]] = {name: {} for name in _TYPES}
        self._carried: Counter[tuple[str, str]] = Counter()
        self._lengths: dict[tuple[str, str], int] = {}
        self._events: list[pa.RecordBatch] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the answered predictions of one more batch."""
        answered = batch.filter(pc.equal(batch.column("status"), "ok"))
        for place in _TYPES:
            columns = MapColumns(answered.column(place))
            for name in columns.names:
                self._take(place, name, _whole(columns, name, answered.num_rows), columns.values(name))
        self._events.append(answered.select(["event_time", "sampling_rate", "score", "decision"]))
        self.rows += answered.num_rows

    @property
    def width(self) -> int:
        """How many columns were met."""
        return sum(len(columns) for columns in self._parts.values())

    def _take(self, place: str, name: str, column: pa.Array, values: pa.Array) -> None:
        key = place, name
        parts = self._parts[place].setdefault(name, [])
        missed = self.rows - self._lengths.get(key, 0)
        if missed:
            parts.append(pa.nulls(missed, _TYPES[place]))
        parts.append(column)
        self._lengths[key] = self.rows + len(column)
        self._carried[key] += len(values) - values.null_count

    @property
    def numeric(self) -> dict[str, pa.Array]:
        """Numeric features."""
        return {name: self._column("numeric_features", name) for name in self._names("numeric_features")}

    @property
    def categorical(self) -> dict[str, pa.Array]:
        """Categorical features, and segments."""
        names = self._names("categorical_features")
        found = {name: self._column("categorical_features", name) for name in names}
        segments = sorted(set(self._parts["segments"]) - set(self.features))
        return found | {name: self._column("segments", name) for name in segments}

    @property
    def features(self) -> list[str]:
        """Names of the features, sorted."""
        return sorted({*self._parts["numeric_features"], *self._parts["categorical_features"]})

    @property
    def event_time(self) -> Ints:
        """Microseconds since the epoch."""
        times = self._event_column("event_time", pa.timestamp("us", "UTC"))
        return np.asarray(times.view(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)

    @property
    def sampling_rate(self) -> pa.Array:
        """The probability with which each was kept."""
        return self._event_column("sampling_rate", pa.float64())

    @property
    def score(self) -> pa.Array:
        """The model's numbers."""
        return self._event_column("score", pa.float64())

    @property
    def decision(self) -> pa.Array:
        """What was decided."""
        return self._event_column("decision", pa.string())

    def _names(self, place: str) -> list[str]:
        """Features whose kind this is."""
        other = "categorical_features" if place == "numeric_features" else "numeric_features"
        numeric = place == "numeric_features"
        return [
            name
            for name in sorted(self._parts[place])
            if (self._carried[place, name], numeric) > (self._carried[other, name], not numeric)
        ]

    def _column(self, place: str, name: str) -> pa.Array:
        rest = self.rows - self._lengths[place, name]
        return pa.concat_arrays([*self._parts[place][name], pa.nulls(rest, _TYPES[place])])

    def _event_column(self, name: str, kind: pa.DataType) -> pa.Array:
        return pa.concat_arrays(
            [pa.array([], kind), *(batch.column(name).cast(kind) for batch in self._events)]
        )


def newest(batch: pa.RecordBatch, most: int) -> pa.RecordBatch:
    """The batch, or so many of its predictions that were made last."""
    if batch.num_rows <= most:
        return batch
    order = pc.sort_indices(batch.column("event_time"), sort_keys=[("", "descending")])
    return batch.take(order[:most])


def _whole(columns: MapColumns, name: str, n: int) -> pa.Array:
    """A key's values for every row, null where the row does not carry it."""
    rows, values = columns.rows(name), columns.values(name)
    if rows is None:
        return values
    places = np.full(n, -1, dtype=np.int64)
    places[rows] = np.arange(rows.size)
    return values.take(pa.array(places, mask=places < 0))
