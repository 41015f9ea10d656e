"""From batches of rows to one sketch per key and column: the profiler's inner loop, columnar throughout.

A key stands for whatever rows are counted together (a slice of a base window of a model); a batch is counted under several groupings of its rows,
and each column is encoded once for all of them::

    accumulator = Accumulator()
    batch = accumulator.begin([Grouping.whole(rows, ""), Grouping(origin_codes, ["origin=JFK", "origin=@other"])])
    batch.add_numeric("distance", distances, precision=5)
    batch.add_categorical("carrier", carriers, listed=None)
    if accumulator.entries > 500_000:
        for key, sketches in accumulator.drain().items():
            ...
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from stream_processors.sketches.bins import Floats, Ints, check_precision
from stream_processors.sketches.categorical import CategoricalSketch
from stream_processors.sketches.categorical_totals import CategoricalTotals
from stream_processors.sketches.column_rows import CATEGORICAL_ROW, NUMERIC_ROW, ColumnRows, together
from stream_processors.sketches.encoding import Mask, NumericColumn, Rows, encode_numbers
from stream_processors.sketches.entries import grown
from stream_processors.sketches.grouping import Grouping
from stream_processors.sketches.numeric import NumericSketch
from stream_processors.sketches.numeric_totals import NumericTotals
from stream_processors.sketches.string_encoding import CategoricalColumn, encode_strings

if TYPE_CHECKING:
    import pyarrow as pa

# what is worked on at once stays in the processor's cache; fewer at once, and each step's fixed cost shows
_BLOCK_VALUES = 32_768

Column = TypeVar("Column")


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
    numeric: ColumnRows
    categorical: ColumnRows


class Accumulator:
    """Counts batches until drained. ``entries`` (bins and values held) bounds its memory: drain when it has grown too large."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._keys: dict[Hashable, int] = {}
        self._events = np.zeros(0, dtype=np.int64)
        self._numeric: dict[int, NumericTotals] = {}
        self._categorical = CategoricalTotals()

    @property
    def entries(self) -> int:
        """Number of (key, column, bin or value) counts held."""
        return sum(totals.entries for totals in self._numeric.values()) + self._categorical.entries

    @property
    def keys(self) -> int:
        """Number of keys held."""
        return len(self._keys)

    @property
    def series(self) -> int:
        """Number of columns of keys held."""
        return sum(totals.series for totals in self._numeric.values()) + self._categorical.series

    def begin(self, groupings: Sequence[Grouping], *, sparse: bool = False) -> Batch:
        """Count the events of a batch under each grouping's keys; all groupings have the batch's number of rows.

        ``sparse``: a key has a sketch only of columns that some of its rows carried. For rows of many kinds with columns of their own.
        """
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
        return Batch(self, placed, rows.pop(), sparse=sparse)

    def promise(self, keys: Iterable[Hashable]) -> Promise:
        """See that these keys, which had events, have sketches of columns whether or not any of their rows carried them."""
        return Promise(self, np.array([self._keys[key] for key in keys], dtype=np.int64))

    def numeric_totals(self, precision: int) -> NumericTotals:
        """Return the running totals of numeric columns at a precision."""
        totals = self._numeric.get(precision)
        if totals is None:
            totals = self._numeric[precision] = NumericTotals(check_precision(precision))
        return totals

    @property
    def categorical_totals(self) -> CategoricalTotals:
        """The running totals of categorical columns."""
        return self._categorical

    def drain(self) -> dict[Hashable, KeySketches]:
        """Return the sketches per key, in the order keys first came, and start again from nothing.

        A key has a sketch of each column that was added to a batch in which the key had rows (see `begin` for ``sparse`` ones); ``absent``
        makes each account for all the key's events. Keys without events are left out.
        """
        events = self._events.tolist()
        sketches = [KeySketches(events[number]) for number in range(len(self._keys))]
        for totals in self._numeric.values():
            for column, number, numeric in totals.sketches(self._events):
                sketches[number].numeric[column] = numeric
        for column, number, categorical in self._categorical.sketches(self._events):
            sketches[number].categorical[column] = categorical
        drained = {key: sketches[number] for key, number in self._keys.items() if events[number]}
        self._clear()
        return drained

    def drain_rows(self) -> DrainedRows:
        """Return the same sketches as Arrow rows, for many keys at once; keys may be without events."""
        # totals are let go one by one: what they hold is in the rows
        numeric = [self._numeric.pop(precision).rows(self._events) for precision in list(self._numeric)]
        keys = list(self._keys)
        drained = DrainedRows(
            keys,
            self._events[: len(keys)],
            together(numeric, NUMERIC_ROW),
            together([self._categorical.rows(self._events)], CATEGORICAL_ROW),
        )
        self._clear()
        return drained


class Batch:
    """One batch of rows under its groupings; made by ``Accumulator.begin``. Add each column once."""

    def __init__(
        self, accumulator: Accumulator, placed: Sequence[tuple[Grouping, Ints]], rows: int, *, sparse: bool
    ) -> None:
        self._accumulator = accumulator
        self._placed = placed
        self._rows = rows
        self._sparse = sparse

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
        self.add_numbers((NumericColumn(column, values, valid, rows),), precision)

    def add_numbers(self, columns: Iterable[NumericColumn], precision: int) -> None:
        """Count numeric columns at one precision: the same as one by one, and faster where they are short."""
        if self._rows == 0:
            return
        totals = self._accumulator.numeric_totals(precision)
        for block in _blocks(columns, lambda column: column.values.size):
            encoded = encode_numbers(block, precision, self._rows)
            names = [one.name for one in block]
            for grouping, key_ids in self._placed:
                totals.add(names, encoded, grouping, key_ids, sparse=self._sparse)

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
        self.add_strings((CategoricalColumn(column, strings, listed, rows),))

    def add_strings(self, columns: Iterable[CategoricalColumn]) -> None:
        """Count categorical columns: the same as one by one, and faster where they are short."""
        if self._rows == 0:
            return
        totals = self._accumulator.categorical_totals
        for block in _blocks(columns, lambda column: len(column.values)):
            encoded = encode_strings(block, self._rows)
            rules = [(one.name, one.listed) for one in block]
            for grouping, key_ids in self._placed:
                totals.add(rules, encoded, grouping, key_ids, sparse=self._sparse)


class Promise:
    """Columns that some keys have in any case; made by ``Accumulator.promise``."""

    def __init__(self, accumulator: Accumulator, key_ids: Ints) -> None:
        self._accumulator, self._key_ids = accumulator, key_ids

    def numeric(self, column: str, precision: int) -> None:
        """A numeric column, absent where no row carried it."""
        self._accumulator.numeric_totals(precision).promise(column, self._key_ids)

    def categorical(self, column: str, listed: tuple[str, ...] | None) -> None:
        """A categorical column, absent where no row carried it."""
        self._accumulator.categorical_totals.promise((column, listed), self._key_ids)


def _blocks(columns: Iterable[Column], size: Callable[[Column], int]) -> Iterator[list[Column]]:
    """Columns in turn, in blocks of about `_BLOCK_VALUES` values."""
    block: list[Column] = []
    values = 0
    for column in columns:
        if block and values + size(column) > _BLOCK_VALUES:
            yield block
            block, values = [], 0
        block.append(column)
        values += size(column)
    if block:
        yield block
