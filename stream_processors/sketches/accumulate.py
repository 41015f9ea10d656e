"""From batches of rows to one sketch per key and column: the profiler's inner loop, columnar throughout.

A key stands for whatever rows are counted together (a slice of a base window of a model); a batch is counted under several groupings of its rows,
and each column is encoded once for all of them::

    accumulator = Accumulator()
    batch = accumulator.begin([Grouping.whole(rows, ""), Grouping(origin_codes, ["origin=JFK", "origin=@other"])])
    batch.add_numeric("distance", distances, precision=5)
    batch.add_categorical("carrier", carriers, listed=None)
    if accumulator.entries > 2_000_000:
        for key, sketches in accumulator.drain().items():
            ...
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from stream_processors.sketches.bins import Floats, Ints, check_precision
from stream_processors.sketches.categorical import CategoricalSketch
from stream_processors.sketches.categorical_totals import CategoricalTotals
from stream_processors.sketches.column_rows import ColumnRows
from stream_processors.sketches.encoding import Mask, Rows, encode_numbers, encode_strings
from stream_processors.sketches.entries import grown
from stream_processors.sketches.grouping import Grouping
from stream_processors.sketches.numeric import NumericSketch
from stream_processors.sketches.numeric_totals import NumericTotals

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(slots=True)
class KeySketches:
    """What was counted under one key: its events, and a sketch per column that accounts for all of them."""

    events: int
    numeric: dict[str, NumericSketch] = field(default_factory=dict)
    categorical: dict[str, CategoricalSketch] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class DrainedRows:
    """Everything drained as Arrow rows: ``keys``, the ``events`` of each, and its columns, whose key numbers are positions in ``keys``."""

    keys: list[Hashable]
    events: Ints
    numeric: list[ColumnRows]
    categorical: list[ColumnRows]


class Accumulator:
    """Counts batches until drained. ``entries`` (bins and values held) bounds its memory: drain when it has grown too large."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._keys: dict[Hashable, int] = {}
        self._events = np.zeros(0, dtype=np.int64)
        self._numeric: dict[tuple[str, int], NumericTotals] = {}
        self._categorical: dict[tuple[str, tuple[str, ...] | None], CategoricalTotals] = {}

    @property
    def entries(self) -> int:
        """Number of (key, column, bin or value) counts held."""
        numeric = sum(totals.entries.size for totals in self._numeric.values())
        return numeric + sum(totals.entries.size for totals in self._categorical.values())

    @property
    def keys(self) -> int:
        """Number of keys held."""
        return len(self._keys)

    def begin(self, groupings: Sequence[Grouping]) -> Batch:
        """Count the events of a batch under each grouping's keys; all groupings have the batch's number of rows."""
        rows = {grouping.rows for grouping in groupings}
        if len(rows) != 1:
            raise ValueError(f"groupings of one batch have equal rows, these have {sorted(rows)}")
        placed = []
        for grouping in groupings:
            key_ids = np.fromiter(
                (self._keys.setdefault(key, len(self._keys)) for key in grouping.keys), dtype=np.int64
            )
            self._events = grown(self._events, len(self._keys), 0)
            self._events[key_ids] += grouping.sizes
            placed.append((grouping, key_ids))
        return Batch(self, placed, rows.pop())

    def numeric_totals(self, column: str, precision: int) -> NumericTotals:
        """Return the running totals of a numeric column at a precision."""
        totals = self._numeric.get((column, precision))
        if totals is None:
            totals = self._numeric[column, precision] = NumericTotals(check_precision(precision))
        return totals

    def categorical_totals(self, column: str, listed: tuple[str, ...] | None) -> CategoricalTotals:
        """Return the running totals of a categorical column under a list of values, or under none."""
        totals = self._categorical.get((column, listed))
        if totals is None:
            totals = self._categorical[column, listed] = CategoricalTotals(listed)
        return totals

    def drain(self) -> dict[Hashable, KeySketches]:
        """Return the sketches per key, in the order keys first came, and start again from nothing.

        A key has a sketch of each column that was added to a batch in which the key had rows; ``absent`` makes each account for all the
        key's events. Keys without events are left out.
        """
        events = self._events.tolist()
        sketches = [KeySketches(events[number]) for number in range(len(self._keys))]
        for (column, _), totals in self._numeric.items():
            for number, numeric in totals.sketches(self._events):
                sketches[number].numeric[column] = numeric
        for (column, _), totals_of_values in self._categorical.items():
            for number, categorical in totals_of_values.sketches(self._events):
                sketches[number].categorical[column] = categorical
        drained = {key: sketches[number] for key, number in self._keys.items() if events[number]}
        self._clear()
        return drained

    def drain_rows(self) -> DrainedRows:
        """Return the same sketches as Arrow rows, for many keys at once; keys may be without events. Columns come by name."""
        numeric = [t.rows(column, self._events) for (column, _), t in self._numeric.items()]
        categorical = [t.rows(column, self._events) for (column, _), t in self._categorical.items()]
        keys = list(self._keys)
        drained = DrainedRows(
            keys,
            self._events[: len(keys)],
            sorted(numeric, key=lambda one: one.column),
            sorted(categorical, key=lambda one: one.column),
        )
        self._clear()
        return drained


class Batch:
    """One batch of rows under its groupings; made by ``Accumulator.begin``. Add each column once."""

    def __init__(self, accumulator: Accumulator, placed: Sequence[tuple[Grouping, Ints]], rows: int) -> None:
        self._accumulator = accumulator
        self._placed = placed
        self._rows = rows

    def add_numeric(
        self,
        column: str,
        values: Floats,
        precision: int,
        valid: Mask | None = None,
        rows: Rows | None = None,
    ) -> None:
        """Count a numeric column (float64).

        Args:
            column: its name.
            values: one value per row, or per row of ``rows``.
            precision: significant bits of its bins.
            valid: False where the value is null; None where none is.
            rows: the rows that carry the column, each once; None where all do. The others are absent.
        """
        if self._rows == 0:
            return
        encoded = encode_numbers(values, precision, valid, rows, self._rows)
        totals = self._accumulator.numeric_totals(column, precision)
        for grouping, key_ids in self._placed:
            totals.add(encoded, grouping, key_ids)

    def add_categorical(
        self,
        column: str,
        strings: pa.Array,
        listed: tuple[str, ...] | None = None,
        rows: Rows | None = None,
    ) -> None:
        """Count a categorical column: an Arrow string (or dictionary of strings) array with nulls.

        Args:
            column: its name.
            strings: one value per row, or per row of ``rows``.
            listed: the values to count by name; None for the 1,000 with the smallest hash.
            rows: the rows that carry the column, each once; None where all do. The others are absent.
        """
        if self._rows == 0:
            return
        encoded = encode_strings(strings, rows, self._rows)
        totals = self._accumulator.categorical_totals(column, listed)
        for grouping, key_ids in self._placed:
            totals.add(encoded, grouping, key_ids)
