"""Sketches of data that an analyst has at hand: of one column, or of a whole table under a contract.

Counted by the profiler's own code, so a table and a stream of the same rows have bin for bin the same sketches::

    sketch_of(frame["amount"], precision=7).quantile(0.99)
    sketch_table(frame, contract, score_column="p")["@score"].mean

pandas says null by NaN, so its NaN is counted as a null here, as it is when the frame is logged (`PredictionLogger.predictions`);
the NaN of numpy, Arrow and polars is counted as NaN.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from producers.at_source.columns import bucketed_column
from producers.columns import to_arrow
from producers.errors import ConfigError
from stream_processors.contracts.training_data import (
    Kind,
    Roles,
    TrainingData,
    one_chunk,
    sent_column,
)
from stream_processors.sketches.accumulate import Accumulator
from stream_processors.sketches.bins import DEFAULT_PRECISION, Ints, check_precision
from stream_processors.sketches.categorical import CategoricalSketch
from stream_processors.sketches.column_names import DECISION, SCORE, column_name
from stream_processors.sketches.grouping import Grouping
from stream_processors.sketches.numeric import NumericSketch
from stream_processors.sketches.slices import WHOLE
from stream_processors.sketches.table_sketch import ColumnSketch, TableSketch

if TYPE_CHECKING:
    from stream_processors.contracts.model import Contract, Feature

_COLUMN = "values"
_NO_ROWS = np.zeros(0, dtype=np.int64)


def sketch_of(
    values: Any, precision: int = DEFAULT_PRECISION, listed: Iterable[str] | None = None
) -> ColumnSketch:
    """Sketch one column: numbers by a histogram, text and booleans by their values.

    >>> sketch_of([1.0, 2.0, 2.0, None], precision=7).counts.tolist()
    [1, 2]
    >>> sketch_of(["a", "b", "a"]).values
    ('a', 'b')

    Args:
        values: an array of Arrow, numpy, pandas or polars, or a list; None is a null.
        precision: significant bits of a numeric histogram, 0 to 20; see `NumericSketch.quantile` for the error.
        listed: categories to count by name; None for the 1,000 with the smallest hash. A column of integers that has a list is
            categorical, also where nulls made them doubles.

    Raises:
        ConfigError: values that are neither numbers, text nor booleans; integers that change as doubles, or are beyond 64 bits; a list
            that is not of texts.
        ValueError: a precision that is not 0 to 20.
    """
    given = _array(values)
    names = None if listed is None else _texts(listed)
    found = sent_column(_COLUMN, given, None if names is None else "categorical")
    if found is None:
        raise ConfigError(f"a column of numbers, text or booleans is wanted, not of {given.type}")
    column = one_chunk(found)
    counting = _Counting(len(column))
    empty: ColumnSketch
    if column.type == pa.string():
        counting.categorical(_COLUMN, column, names)
        empty = CategoricalSketch.empty(names)
    elif names is None:
        counting.numeric(_COLUMN, column, precision)
        empty = NumericSketch.empty(precision)
    else:
        raise ConfigError(f"a column that has a list is of text, booleans or integers, not of {given.type}")
    return counting.done().columns.get(_COLUMN, empty)


def sketch_table(
    table: Any,
    contract: Contract | None = None,
    *,
    score_column: str | None = None,
    decision_column: str | None = None,
    exclude: Collection[str] = (),
) -> TableSketch:
    """Sketch every feature column of a table: precisions and lists are the contract's, without one the stream's defaults (5 bits, no list).

    Kinds are those that `PredictionLogger.predictions` gives the columns: what the contract says where a column can be of it, and else
    numbers are numeric, nulls of no type too, and text and booleans categorical. Columns of other types are left out, and so are an index of
    pandas without a name and features that the contract drops or hashes. Of a contract's features only the table's are needed: the others are absent from all rows, as they
    are in a stream that never carries them.

    Args:
        table: of pandas, polars or Arrow, a row per prediction.
        contract: says kinds, precisions, lists and buckets.
        score_column: becomes the column ``@score``; its nulls are absences.
        decision_column: becomes ``@decision``, likewise.
        exclude: columns that are no features: labels, identifiers, times.

    Raises:
        ConfigError: no table, no rows, a column that is not there, one that cannot be of the kind that the contract says, one of integers
            that change as doubles, or two of one name.
        InvalidEvent: Arrow cannot take the table.
    """
    features = {} if contract is None else contract.features
    given = to_arrow(table)
    kinds: dict[str, Kind] = {one.name: "numeric" for one in given.schema if one.type == pa.null()}
    kinds |= {name: feature.kind for name, feature in features.items()}
    data = TrainingData(given, Roles(None, score_column, decision_column, exclude), kinds)
    for name in data.left_out:
        if name in features:
            raise ConfigError(f"column {name} is of a type that is no feature's; the contract names it")
    counting = _Counting(data.rows)
    for name in [*data.numeric, *data.categorical]:
        feature = features.get(name)
        if feature is None or not feature.hidden:
            counting.feature(name, data, feature)
    for name, feature in features.items():
        if not (feature.hidden or name in data.numeric or name in data.categorical):
            counting.unseen(name, feature)
    counting.carried(
        SCORE, data.score, contract.prediction.score_precision if contract else DEFAULT_PRECISION
    )
    counting.carried(DECISION, data.decision)
    return counting.done()


class _Counting:
    """All rows of a table under one key, column by column."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._accumulator = Accumulator()
        self._batch = self._accumulator.begin([Grouping.whole(rows, WHOLE)])

    def numeric(self, column: str, values: pa.Array, precision: int, rows: Ints | None = None) -> None:
        """Count doubles; ``rows`` as in `Batch.add_numeric`."""
        valid = values.is_valid().to_numpy(zero_copy_only=False) if values.null_count else None
        plain = values.to_numpy(zero_copy_only=False)
        self._batch.add_numeric(column, plain, check_precision(precision), valid, rows)

    def categorical(
        self, column: str, values: pa.Array, listed: tuple[str, ...] | None, rows: Ints | None = None
    ) -> None:
        """Count strings."""
        self._batch.add_categorical(column, values, listed, rows)

    def feature(self, name: str, data: TrainingData, feature: Feature | None) -> None:
        """Count a column of the table as the contract says; None where it says nothing."""
        kind = "numeric" if name in data.numeric else "categorical"
        if feature is not None and feature.kind != kind:
            raise ConfigError(f"column {name} is {kind}, the contract says {feature.kind}")
        if kind == "categorical":
            self.categorical(column_name(name), data.categorical[name], feature.values if feature else None)
            return
        values = data.numeric[name]
        if feature is not None and feature.bucket is not None:
            values = bucketed_column(values, feature.bucket)
        self.numeric(column_name(name), values, feature.precision if feature else DEFAULT_PRECISION)

    def unseen(self, name: str, feature: Feature) -> None:
        """Count a feature that the table does not have: absent from every row."""
        if feature.kind == "numeric":
            self.numeric(column_name(name), pa.array([], pa.float64()), feature.precision, _NO_ROWS)
        else:
            self.categorical(column_name(name), pa.array([], pa.string()), feature.values, _NO_ROWS)

    def carried(self, column: str, values: pa.Array, precision: int | None = None) -> None:
        """Count a pseudo-column, numeric with a precision: a null is an absence, and a column without any value is none."""
        rows = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
        if rows.size and precision is not None:
            self.numeric(column, values.drop_null(), precision, rows)
        elif rows.size:
            self.categorical(column, values.drop_null(), None, rows)

    def done(self) -> TableSketch:
        """Everything counted."""
        found = self._accumulator.drain().get(WHOLE)
        return TableSketch(self._rows, {**found.numeric, **found.categorical} if found else {})


def _texts(listed: Iterable[str]) -> tuple[str, ...]:
    """The list; one text alone would be a list of its letters."""
    names = () if isinstance(listed, str) else tuple(listed)
    wrong = [listed] if isinstance(listed, str) else [one for one in names if not isinstance(one, str)]
    if wrong:
        raise ConfigError(f"a list of texts is wanted, such as ['1', '2']; {wrong[0]!r} is none")
    return names


def _array(values: Any) -> pa.ChunkedArray:
    """The column as Arrow has it."""
    if hasattr(values, "columns") or isinstance(values, Mapping | str | bytes):
        raise ConfigError(f"one column is wanted, not {type(values).__name__}; sketch_table takes tables")
    try:
        # pandas and lists have an index of their own, and Arrow's conversion of them knows their nulls
        streams = isinstance(values, pa.ChunkedArray) or (
            hasattr(values, "__arrow_c_stream__") and not hasattr(values, "index")
        )
        given = pa.chunked_array(values) if streams else pa.array(values)
    except (pa.ArrowException, TypeError, ValueError):
        raise ConfigError(f"Arrow cannot take a column of {type(values).__name__}") from None
    except OverflowError:
        raise ConfigError("Arrow cannot take the column: an integer is beyond 64 bits") from None
    return given if isinstance(given, pa.ChunkedArray) else pa.chunked_array([given])
