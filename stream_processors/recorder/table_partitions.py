"""How an insert is split so that it touches at most 100 table partitions, ClickHouse's limit for one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from stream_processors.recorder.sorting import TableRows

Ints = npt.NDArray[np.int64]

# ClickHouse's max_partitions_per_insert_block
MOST = 100

_DAY = 86_400_000_000


def _months(micros: Ints) -> Ints:
    return np.asarray(micros.view("datetime64[us]").astype("datetime64[M]").astype(np.int64))


def _of_predictions(rows: TableRows) -> Ints:
    return rows.numbers("retention_days") * 1_000_000 + rows.numbers("event_time") // _DAY


# PARTITION BY of the tables that have one (sql/migrations)
_KEYS: dict[str, Callable[[TableRows], Ints]] = {
    "predictions": _of_predictions,
    "intake": lambda rows: _months(rows.numbers("_appended_at")),
    "sketches": lambda rows: _months(rows.numbers("window_start")),
    "outcomes": lambda rows: _months(rows.numbers("event_time")),
}


def pieces(rows: TableRows) -> Iterator[TableRows]:
    """The rows in as few pieces as leave each at most `MOST` table partitions; nearly always one."""
    key = _KEYS.get(rows.table)
    if key is None or not rows.rows.num_rows:
        yield rows
        return
    keys = key(rows)
    if keys.max() - keys.min() < MOST:
        yield rows
        return
    partitions, numbers = np.unique(keys, return_inverse=True)
    if len(partitions) <= MOST:
        yield rows
        return
    for first in range(0, len(partitions), MOST):
        yield rows.only((numbers >= first) & (numbers < first + MOST))
