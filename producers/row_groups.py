"""Which accounts the rows of a part are counted in: model, environment and hour of event time, found by columns. Pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from producers.arrow_memory import numbers as values_of
from producers.ledger import HOUR
from producers.rows import Part

Places = npt.NDArray[np.intp]


class Group(NamedTuple):
    """Rows of one model, environment and hour: how many, and the places of the first and last."""

    model: str
    environment: str | None
    hour: int
    rows: int
    first: int
    last: int


def groups_of(part: Part) -> tuple[list[Group], Places | None]:
    """The rows of a part by account, and which of these groups each row is in (None: there is only one)."""
    rows = part.columns.rows
    hours = values_of(part.times, np.int64) // HOUR
    codes: Places | None = None
    for column in (part.models, part.environments, hours):
        if len(column) == 1 or (isinstance(column, np.ndarray) and column.min() == column.max()):
            continue
        own, count = _codes(column)
        codes = own if codes is None else codes * count + own
    if codes is None:
        return [_group(part, hours, rows, 0, rows - 1)], None
    _, firsts, group_of, counts = np.unique(codes, return_index=True, return_inverse=True, return_counts=True)
    lasts = np.empty(len(firsts), np.intp)
    lasts[group_of] = np.arange(rows)  # the last of equal places stays
    places = zip(counts.tolist(), firsts.tolist(), lasts.tolist(), strict=True)
    return [_group(part, hours, *place) for place in places], group_of


def _codes(column: pa.StringArray | npt.NDArray[np.int64]) -> tuple[Places, int]:
    """A number for each value of a column, and how many there are."""
    if isinstance(column, np.ndarray):
        values, codes = np.unique(column, return_inverse=True)
        return codes, len(values)
    encoded = column.dictionary_encode(null_encoding="encode")
    return values_of(encoded.indices, np.int32).astype(np.intp), len(encoded.dictionary)


def _group(part: Part, hours: npt.NDArray[np.int64], rows: int, first: int, last: int) -> Group:
    def of(column: pa.Array) -> str | None:
        value: str | None = column[first if len(column) > 1 else 0].as_py()
        return value

    model = of(part.models)
    assert model is not None
    hour = int(hours[first if len(hours) > 1 else 0])
    return Group(model, of(part.environments), hour, rows, first, last)
