"""A load: every row looked at before the first is sent, then sent, and how far it has come kept on disk.

What is sent twice, because a load was killed before it could note what had arrived, is the same event again (the same id
and time), which the record keeps once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hindcast.load.file_rows import FileRows
from hindcast.load.mapping import TIME_OF
from hindcast.load.rejection import described, rejected
from hindcast.load.retention import Keeper
from hindcast.load.sent import LAST_S, STALL_S, SentRows
from hindcast.load.source import Source
from hindcast.load.state import LoadState
from producers import PredictionLogger
from producers.arrow_memory import numbers, whole
from producers.errors import ConfigError
from producers.rows import Rows
from producers.values import EARLIEST

_AHEAD = 3_600_000_000
_HASHED = 1 << 20
Moved = Callable[[int], None]
Mask = npt.NDArray[np.bool_]


def digest_of(path: Path, moved: Moved) -> str:
    """SHA-256 of a file's content, hex; ``moved`` hears of the bytes.

    Raises:
        ConfigError: it cannot be read.
    """
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while read := file.read(_HASHED):
                found.update(read)
                moved(len(read))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    return found.hexdigest()


@dataclass(frozen=True)
class Load:
    """A file, what its columns are, and what may be sent of it.

    Attributes:
        source: the file.
        events: what its rows are.
        keeper: what is kept of predictions; None for labels, which are kept for ever.
        interrupted: called now and then; raises to end the work.
        skip_expired: leave out predictions that would not be kept, instead of refusing the file.
        skip_unlabelled: leave out labels without a truth, instead of refusing the file.
    """

    source: Source
    events: FileRows
    keeper: Keeper | None
    interrupted: Callable[[], None] = lambda: None
    skip_expired: bool = False
    skip_unlabelled: bool = False

    def check(self, now: int, moved: Moved) -> int:
        """Look at every row; returns how many there are. ``now`` in µs.

        Raises:
            ConfigError: one that cannot be sent, or would not be kept.
        """
        found, expired, oldest = 0, 0, now
        broken: Counter[str] = Counter()
        for piece in self._pieces(0):
            table = self.events.prepared(piece, found)
            rows = self.events.rows(table, found, self._silent(table))
            self._refuse_untimely(rows, found, found + piece.num_rows, now)
            if self.keeper is not None:
                broken += rejected(rows, self.keeper.history, self.keeper.model, now)
                old = self._expired(rows)
                if old.any():
                    times = numbers(whole(rows.fields["event_time"].cast(pa.int64())), np.int64)[old]
                    expired, oldest = expired + len(times), min(oldest, int(times.min()))
            found += piece.num_rows
            moved(piece.num_rows)
            self.interrupted()
        if expired and not self.skip_expired:
            raise ConfigError(self._too_old(expired, found, oldest))
        if broken:
            raise ConfigError(
                f"the contract of {self.events.mapping.asked.model} rejects rows: {described(broken)}"
            )
        return found

    def send(self, log: PredictionLogger, state: LoadState, moved: Moved) -> None:
        """Send all rows that were not sent; how far it has come is saved every second.

        Raises:
            BrokerUnavailable: Kafka takes no more; what it took is saved.
        """
        sent = SentRows(log, state, moved)
        send: Any = log.predictions if self.keeper is not None else log.labels
        at = state.progress.rows
        try:
            for piece in self._pieces(at):
                table = self._kept(self.events.prepared(piece, at), at)
                sent.expect(piece.num_rows, table.num_rows)
                send(table, wait=STALL_S, **self.events.arguments())
                sent.look()
                at += piece.num_rows
                self.interrupted()
            sent.end()
        finally:
            log.flush(LAST_S)
            sent.note()

    def _pieces(self, start: int) -> Iterator[pa.Table]:
        mapping = self.events.mapping
        return self.source.pieces(mapping.needed, start, mapping.as_written)

    def _kept(self, table: pa.Table, start: int) -> pa.Table:
        """Prepared rows without those that are left out."""
        left_out = self._silent(table)
        if self.skip_expired and self.keeper is not None:
            left_out = self._expired(self.events.rows(table, start))
        return table if left_out is None or not left_out.any() else table.filter(pa.array(~left_out))

    def _silent(self, table: pa.Table) -> Mask | None:
        """Prepared rows that are labels and say nothing, which are left out; None where there are none."""
        if self.keeper is not None:
            return None
        silent = self.events.unlabelled(table)
        if silent.any() and not self.skip_unlabelled:
            raise ConfigError("rows have no truth: --skip-unlabelled leaves them out")
        return silent if silent.any() else None

    def _expired(self, rows: Rows) -> Mask:
        assert self.keeper is not None
        return self.keeper.expired(rows.fields["event_time"], rows.fields["environment"])

    def _refuse_untimely(self, rows: Rows, start: int, end: int, now: int) -> None:
        """The recorder makes dead letters of predictions whose time cannot be, and stops at too many of them."""
        first = 0 if self.keeper is not None else EARLIEST
        for name in (TIME_OF[self.events.mapping.asked.name], "known_at"):
            times = numbers(whole(rows.fields[name].cast(pa.int64())), np.int64)
            for odd, where in ((times > now + _AHEAD, "in the future"), (times < first, "before 1970")):
                if odd.any():
                    column = self.events.mapping.column_of(name)
                    raise ConfigError(
                        f"column {column}: {odd.sum():,} times {where} (in rows {start + 1:,} to {end:,})"
                    )

    def _too_old(self, expired: int, rows: int, oldest: int) -> str:
        model, day = self.events.mapping.asked.model, np.datetime64(oldest, "us").astype("datetime64[D]")
        return (
            f"{expired:,} of {rows:,} rows, the oldest of {day}, are older than what the contract of {model} keeps, and "
            "would be deleted: publish a contract with more retention_days (0 keeps for ever), or leave them out with "
            "--skip-expired"
        )
