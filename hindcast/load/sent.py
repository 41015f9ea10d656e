"""What became of a load's rows: they are settled in their order, so that a count says how far all are."""

from __future__ import annotations

import time
from collections.abc import Callable

from hindcast.load.state import LoadState
from producers import PredictionLogger, Stats
from producers.errors import BrokerUnavailable

# how long Kafka may acknowledge nothing before a load gives up
STALL_S = 60.0
# how long an interrupted load waits for what is on its way
LAST_S = 5.0
_SAVE_S = 1.0
# a row of which no other try would make more
_TOO_LARGE = "too_large"


class SentRows:
    """Rows handed to a logger that nobody else uses.

    Args:
        log: the logger; what it did before does not count.
        state: where it is kept how far all are.
        moved: hears of rows that were settled.
    """

    def __init__(self, log: PredictionLogger, state: LoadState, moved: Callable[[int], None]) -> None:
        self._log = log
        self._state = state
        self._moved = moved
        self._before = state.progress
        self._pieces: list[tuple[int, int]] = []
        self._saved = time.monotonic()

    def expect(self, rows: int, kept: int) -> None:
        """Hear that these rows of the file are handed on next, all but some that are left out."""
        self._pieces.append((rows, kept))

    def look(self) -> None:
        """See how far all are.

        Raises:
            BrokerUnavailable: Kafka did not take rows.
        """
        self._refuse_loss(self._log.stats)
        if time.monotonic() - self._saved >= _SAVE_S:
            self.note()

    def end(self) -> None:
        """Wait for the last, and say that all is done.

        Raises:
            BrokerUnavailable: Kafka did not take rows, or says nothing.
        """
        while (stats := self._log.stats).waiting:
            self._refuse_loss(stats)
            if self._log.flush(STALL_S) and self._log.stats.delivered == stats.delivered:
                raise BrokerUnavailable(
                    "Kafka acknowledges nothing: the same command goes on where this stopped"
                )
        self._refuse_loss(stats)
        self.note()
        done, handed_on = self._state.progress.rows, self._before.rows + sum(rows for rows, _ in self._pieces)
        if done < handed_on:
            raise BrokerUnavailable(
                f"{handed_on - done:,} rows are not known to be in Kafka: the same command goes on after row {done:,}"
            )
        self._state.save(done=True)

    def note(self) -> None:
        """Keep how far all are. After a loss it is not known, and what was kept before stays."""
        self._saved = time.monotonic()
        stats = self._log.stats
        if _lost(stats):
            return
        refused = stats.dropped.get(_TOO_LARGE, 0)
        rows, skipped = _place(self._pieces, stats.delivered + refused)
        rows += self._before.rows
        if rows > self._state.progress.rows:
            more = rows - self._state.progress.rows
            self._state.save(
                rows=rows,
                refused=self._before.refused + refused,
                skipped=self._before.skipped + skipped,
                done=rows == self._state.progress.total,
            )
            # kept first: whoever is told may end the load
            self._moved(more)

    def _refuse_loss(self, stats: Stats) -> None:
        if _lost(stats):
            raise BrokerUnavailable(
                f"Kafka did not take {_lost(stats):,} rows: the same command goes on after row {self._state.progress.rows:,}"
            )


def _lost(stats: Stats) -> int:
    return stats.failed + sum(count for reason, count in stats.dropped.items() if reason != _TOO_LARGE)


def _place(pieces: list[tuple[int, int]], settled: int) -> tuple[int, int]:
    """(rows of the file that are done with, those of them left out) when so many rows are settled."""
    done = skipped = 0
    for rows, kept in pieces:
        if settled < kept:
            # which rows of a piece were left out is not known here, only how many of all
            return (done + settled if kept == rows else done), skipped
        done, skipped, settled = done + rows, skipped + rows - kept, settled - kept
    return done, skipped
