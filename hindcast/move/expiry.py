"""Which predictions of an export are older than they are kept: a merge deletes them from a record, or has deleted them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hindcast.move.files import pieces
from hindcast.move.manifest import Contents
from producers.errors import ConfigError

EXPIRING = "predictions"
_DAY = 86_400_000_000


def expired_predictions(directory: Path, contents: Contents, now: int, check: Callable[[], None]) -> int:
    """How many predictions of a checked export have expired by ``now``, in µs since 1970."""
    facts = contents.tables.get(EXPIRING)
    found = 0
    for file in facts.files if facts else []:
        for rows in pieces(directory / file.name, ["event_time", "retention_days"]):
            check()
            found += int(expired(rows, now).sum())
    return found


def expired(rows: pa.Table, now: int) -> npt.NDArray[np.bool_]:
    """Which of these predictions have.

    Raises:
        ConfigError: their times or days are no numbers.
    """
    times, days = (_numbers(rows, name) for name in ("event_time", "retention_days"))
    return np.asarray((days > 0) & (times < now - days * _DAY))


def _numbers(rows: pa.Table, name: str) -> npt.NDArray[np.int64]:
    try:
        return np.asarray(rows.column(name).cast(pa.int64()).to_numpy())
    except (pa.ArrowException, KeyError):
        raise ConfigError(f"the files of {EXPIRING} have no {name} that can be one") from None
