"""A table of training data as events: which columns are features, and of which kind. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from producers.at_source.columns import settled
from producers.columns import becomes_category, numbers, refuse_repeated, texts
from producers.errors import ConfigError, InvalidEvent
from producers.values import EARLIEST, LATEST
from stream_processors.map_columns import Floats, Mask, doubles

Ints = npt.NDArray[np.int64]
Kind = Literal["numeric", "categorical"]

# what pandas calls an index without a name: in Arrow and Parquet, and in a CSV
_INDEX = re.compile(r"__index_level_\d+__|")


@dataclass(frozen=True)
class Roles:
    """Columns of a table that are not features.

    Attributes:
        time: when each row's prediction was or would have been made; a time without zone is taken as UTC. None: rows have no times.
        score, decision: what the model answered; None: not in the table.
        exclude: columns to leave out: labels, identifiers.

    Raises:
        ConfigError: one text to exclude, which would be its letters.
    """

    time: str | None = None
    score: str | None = None
    decision: str | None = None
    exclude: Collection[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.exclude, str):
            raise ConfigError(f"columns to exclude are a list, such as [{self.exclude!r}]")

    def taken(self) -> set[str]:
        """All columns that are no features."""
        return {*self.exclude, *(name for name in (self.time, self.score, self.decision) if name)}


class FeatureData(Protocol):
    """What a contract is inferred from: a row per prediction, in columns of equal length."""

    @property
    def rows(self) -> int:
        """How many predictions."""

    @property
    def numeric(self) -> Mapping[str, pa.Array]:
        """Numbers as doubles."""

    @property
    def categorical(self) -> Mapping[str, pa.Array]:
        """Texts."""

    @property
    def event_time(self) -> Ints:
        """Microseconds since the epoch."""

    @property
    def sampling_rate(self) -> pa.Array:
        """Doubles: the probability with which each was kept."""

    @property
    def score(self) -> pa.Array:
        """Doubles."""

    @property
    def decision(self) -> pa.Array:
        """Texts."""


class TrainingData:
    """The table's feature columns as events carry them (see `sent_column`): numbers as doubles, texts and booleans as strings.

    Columns of other types (times, lists, structs) are no features and are listed in ``left_out``; so are, unless their kind is decided,
    columns of nulls that have no type, and those that have no name but the one of an index (see `is_index`).

    Args:
        table: a row per prediction.
        roles: columns that are no features.
        kinds: kinds that are decided already. A column that cannot be of its kind is of the one that its type gives it.

    Raises:
        ConfigError: a role names a column that the table does not have, or one of the wrong type; two columns of one name; no rows;
            integers that change as doubles.
    """

    def __init__(self, table: pa.Table, roles: Roles, kinds: Mapping[str, Kind] | None = None) -> None:
        self.rows = table.num_rows
        if not self.rows:
            raise ConfigError("the data have no rows")
        refuse_repeated(table.column_names)
        missing = sorted(roles.taken() - set(table.column_names))
        if missing:
            there = ", ".join(table.column_names)
            raise ConfigError(f"the data have no column {missing[0]}; there are: {there}")
        self.numeric: dict[str, pa.Array] = {}
        self.categorical: dict[str, pa.Array] = {}
        self.left_out: list[str] = []
        for name in table.column_names:
            if name not in roles.taken():
                self._take(name, table.column(name), (kinds or {}).get(name))
        self.event_time = _times(table, roles.time)
        self.sampling_rate = pa.repeat(1.0, self.rows)
        self.score = _score(table, roles.score)
        self.decision = _decision(table, roles.decision)

    def _take(self, name: str, column: pa.ChunkedArray, kind: Kind | None) -> None:
        unsaid = kind is None and (column.type == pa.null() or is_index(name))
        sent = None if unsaid else sent_column(name, column, kind)
        if sent is None:
            self.left_out.append(name)
        elif sent.type == pa.float64():
            self.numeric[name] = one_chunk(sent)
        else:
            self.categorical[name] = one_chunk(sent)


class TableColumns:
    """Columns of a table in the form of a map column taken apart: every row carries every column."""

    def __init__(self, columns: dict[str, pa.Array]) -> None:
        self._columns = columns
        self.names = tuple(columns)

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def rows(self, name: str) -> Ints | None:
        """All of them."""
        return None

    def values(self, name: str) -> pa.Array:
        """The column."""
        return self._columns[name]

    def numbers(self, name: str) -> tuple[Floats, Mask | None]:
        """The column of doubles, and where it is not null."""
        return doubles(self._columns[name])


def is_index(name: str) -> bool:
    """Whether this is no name that a person gave, but the index that pandas adds to a table of rows that were filtered, shuffled or split.

    >>> is_index("__index_level_0__"), is_index(""), is_index("level")
    (True, True, False)
    """
    return _INDEX.fullmatch(name) is not None


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece."""
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


def sent_column(name: str, column: pa.ChunkedArray, promised: Kind | None) -> pa.ChunkedArray | None:
    """The column as a logger sends it, doubles or strings; None where no feature is of its type.

    Decided by the logger's own rules. ``promised`` is what a contract says of the feature, None where it says nothing: a column of
    whole numbers, doubles with nulls included, can be a category then, and a column of booleans a number.

    Raises:
        ConfigError: integers that change as doubles.
    """
    try:
        found = (texts if becomes_category(column.type, promised) else numbers)(name, column)
    except InvalidEvent as error:
        if pat.is_integer(column.type) or pat.is_decimal(column.type):
            raise ConfigError(f"column {name}: {error.problem}") from None
        return None
    sent = settled(found, promised)
    return pa.chunked_array([sent]) if isinstance(sent, pa.Array) else sent


def _times(table: pa.Table, name: str | None) -> Ints:
    """Microseconds since the epoch; 0 throughout without a time column."""
    if name is None:
        return np.zeros(table.num_rows, dtype=np.int64)
    column = one_chunk(table.column(name))
    if not (pat.is_timestamp(column.type) or pat.is_date(column.type)):
        raise ConfigError(f"column {name} is of type {column.type}: a timestamp is wanted")
    if column.null_count:
        raise ConfigError(f"column {name} has {column.null_count} rows without a time")
    nanoseconds = pat.is_timestamp(column.type) and column.type.unit == "ns"
    try:
        micros = column.cast(pa.timestamp("us"), safe=not nanoseconds).view(pa.int64())
    except pa.ArrowInvalid:
        raise _out_of_range(name) from None
    times = np.asarray(micros.to_numpy(zero_copy_only=False), dtype=np.int64)
    if times.min() < EARLIEST or times.max() > LATEST:
        raise _out_of_range(name)
    return times


def _out_of_range(name: str) -> ConfigError:
    return ConfigError(f"column {name} has times outside the years 1900 to 2299")


def _score(table: pa.Table, name: str | None) -> pa.Array:
    if name is None:
        return pa.nulls(table.num_rows, pa.float64())
    column = table.column(name)
    try:
        return one_chunk(numbers(name, column))
    except InvalidEvent as error:
        if pat.is_integer(column.type) or pat.is_decimal(column.type):
            raise ConfigError(f"column {name}: {error.problem}") from None
        raise ConfigError(f"column {name} is of type {column.type}: a number is wanted") from None


def _decision(table: pa.Table, name: str | None) -> pa.Array:
    if name is None:
        return pa.nulls(table.num_rows, pa.string())
    column = table.column(name)
    try:
        return one_chunk(texts(name, column))
    except InvalidEvent:
        raise ConfigError(f"column {name} is of type {column.type}: a text is wanted") from None
