"""Writes batches to ClickHouse so that every message is there once, whatever died when.

The protocol: what is not known is read back; what is there is dropped; the rest is inserted; only then may the offsets be committed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from uuid import uuid4

import numpy as np
import pyarrow as pa
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_when_event_set

from producers.errors import HindcastError
from stream_processors.clickhouse import QueryRefused, Store
from stream_processors.partitions import distinct
from stream_processors.recorder.daemon_thread import DaemonThread
from stream_processors.recorder.dead_letter_sender import DeadLetterSender
from stream_processors.recorder.dead_letters import LEFT, REFUSED, DeadLetter, Facts, gap
from stream_processors.recorder.insert_form import in_few_bytes
from stream_processors.recorder.query_ids import query_id
from stream_processors.recorder.read_back import (
    is_recorded,
    next_unrecorded,
    recorded_up_to,
    settle,
    whole_offsets,
)
from stream_processors.recorder.sorting import TABLES, SortedMessages, TableRows
from stream_processors.recorder.table_partitions import pieces

INSERT_S = 60.0

# ClickHouse's ErrorCodes.cpp: what a row's value can cause. Everything else is the table's or the server's fault and
# says nothing about a row: numbers, dates, enums, nulls, encodings, sizes, constraints.
ROW_FAULTS = frozenset({6, 26, 27, 38, 41, 69, 70, 72, 117, 128, 131, 190, 321, 349, 407, 469, 691})

# No such column, no such table, no such database.
_MISSING = {16, 60, 81}

Place = tuple[int, int]


@dataclass(frozen=True)
class LogStart:
    """Where a partition's log begins, with no commit that says how much of what stood before is recorded.

    Attributes:
        topic: without prefix.
        seen_at: microseconds since the epoch.
    """

    topic: str
    topic_id: str
    partition: int
    offset: int
    seen_at: int


@dataclass(frozen=True, eq=False)
class Batch:
    """What was consumed between two looks at the log.

    Attributes:
        parts: one per topic.
        positions: (full topic name, partition) → the offset that may be committed when all is written.
        epoch: number of the assignment it was consumed under.
        starts: logs before whose beginning messages may be lost: the record is asked.
    """

    parts: tuple[SortedMessages, ...]
    positions: Mapping[tuple[str, int], int]
    epoch: int
    starts: tuple[LogStart, ...] = ()

    def __len__(self) -> int:
        return sum(len(part.messages) for part in self.parts)


@dataclass
class Written:
    """What became of a batch.

    Attributes:
        abandoned: it was given up unwritten (its partitions are no longer ours, or the process stops): commit nothing.
        refused: (topic without prefix, partition) → messages that ClickHouse refused, now dead letters.
        lost: (topic without prefix, partition) → what was found to be lost before the log's beginning.
    """

    abandoned: bool = False
    refused: dict[tuple[str, int], int] = field(default_factory=dict)
    lost: dict[tuple[str, int], DeadLetter] = field(default_factory=dict)


class _NotOursAnyMore(Exception):
    """The batch's partitions have been taken away."""


class Writer:
    """Writes one batch after the other. Use it from one thread.

    Args:
        store: makes a connection; called again until it succeeds.
        sender: for dead letters.
        current_epoch: the assignment now; batches of earlier ones are given up.
        stop: ends waiting and retrying.
        failed: is told of each fault that is retried.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        sender: DeadLetterSender,
        *,
        current_epoch: Callable[[], int],
        stop: threading.Event,
        failed: Callable[[str], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._connect, self._sender = store, sender
        self._current_epoch, self._stop, self._failed, self._clock = current_epoch, stop, failed, clock
        self._store: Store | None = None
        self._epoch = self._given_up = -1
        # per (topic id, partition) the offset before which rows may already be there
        self._uncertain_until: dict[tuple[str, int], int] = {}
        self._beside = DaemonThread("insert")

    def write(self, batch: Batch) -> Written:
        """Write a batch; retries until it is done, given up, or ``stop`` is set.

        With a batch all later ones of its assignment are given up: their positions would pass over it.
        """
        if batch.epoch == self._given_up:
            return Written(abandoned=True)
        if batch.epoch != self._epoch:
            self._uncertain_until.clear()
            self._epoch = batch.epoch
        retrying = Retrying(
            retry=retry_if_exception_type(HindcastError),
            wait=wait_random_exponential(multiplier=0.4, max=10.0),
            stop=stop_when_event_set(self._stop),
            sleep=sleep_using_event(self._stop),
            before_sleep=self._say,
            reraise=True,
        )
        try:
            return retrying(self._attempt, batch, set())
        except (_NotOursAnyMore, HindcastError):
            self._given_up = batch.epoch
            return Written(abandoned=True)

    def close(self) -> None:
        """Let go of the thread beside the caller's, and of the connections."""
        self._beside.close(within=0)
        self._sender.close()
        if self._store is not None:
            self._store.close()

    def _say(self, state: RetryCallState) -> None:
        assert state.outcome is not None
        fault = state.outcome.exception()
        assert fault is not None
        hint = "`hindcast migrate` makes what is missing: " if getattr(fault, "code", 0) in _MISSING else ""
        self._failed(f"{hint}{fault}")

    def _attempt(self, batch: Batch, letters_sent: set[int]) -> Written:
        if batch.epoch != self._current_epoch():
            raise _NotOursAnyMore
        if self._store is None:
            self._store = self._connect()
        written = Written()
        try:
            self._look_before(self._store, batch.starts, written)
            for place, part in enumerate(batch.parts):
                if place not in letters_sent:
                    self._sender.send(part.dead)
                    letters_sent.add(place)
                self._write_part(self._store, part, written)
        except BaseException:
            # how an insert ended is not known
            self._uncertain_until.clear()
            raise
        return written

    def _look_before(self, store: Store, starts: Sequence[LogStart], written: Written) -> None:
        """Say what is lost before the beginning of logs of topics that were recorded once: what follows the last that is recorded."""
        for start in starts:
            tables, topic_id, partition = TABLES[start.topic], start.topic_id, start.partition
            settle(store, topic_id, [partition], clock=self._clock, wait=self._stop.wait)
            first = recorded_up_to(store, tables, topic_id, partition)
            if first < start.offset and (first or is_recorded(store, tables, topic_id)):
                written.lost[start.topic, partition] = gap(
                    start.topic, topic_id, partition, first, start.offset, now=start.seen_at, how=LEFT
                )
        self._sender.send(list(written.lost.values()))

    def _write_part(self, store: Store, part: SortedMessages, written: Written) -> None:
        self._read_back(store, part)
        wanted = [self._missing(store, part, rows) for rows in part.tables]
        # the topic's table and intake beside each other; all are waited for, whatever becomes of one: what is unknown is settled
        # before the next attempt
        beside = [self._beside.submit(partial(self._insert_pieces, store, part, rows)) for rows in wanted[1:]]
        try:
            refused = self._insert_pieces(store, part, wanted[0]) if wanted else {}
        finally:
            wait(beside)
        for done in beside:
            refused |= done.result()
        if refused:
            self._refuse(store, part, refused, written)

    def _insert_pieces(self, store: Store, part: SortedMessages, rows: TableRows) -> dict[Place, int]:
        refused: dict[Place, int] = {}
        for piece in pieces(rows):
            refused |= self._insert(store, part.messages.topic_id, piece)
        return refused

    def _read_back(self, store: Store, part: SortedMessages) -> None:
        """Find out how far each partition may be recorded already, if that is not known."""
        messages = part.messages
        new = [
            p for p in distinct(messages.partitions) if (messages.topic_id, p) not in self._uncertain_until
        ]
        if not new:
            return
        settle(store, messages.topic_id, new, clock=self._clock, wait=self._stop.wait)
        tables = TABLES[messages.topic]
        for partition in new:
            first = int(messages.offsets[messages.partitions == partition][0])
            self._uncertain_until[messages.topic_id, partition] = next_unrecorded(
                store, tables, messages.topic_id, partition, first
            )

    def _missing(self, store: Store, part: SortedMessages, rows: TableRows) -> TableRows:
        """The rows of messages that are not wholly there."""
        if not rows.rows.num_rows:
            return rows
        partitions, offsets = rows.numbers("_partition"), rows.numbers("_offset")
        missing = np.ones(len(offsets), dtype=np.bool_)
        for partition in distinct(partitions):
            own = partitions == partition
            first, last = int(offsets[own].min()), int(offsets[own].max())
            if first < self._uncertain_until[part.messages.topic_id, partition]:
                there = whole_offsets(store, rows.table, part.messages.topic_id, partition, first, last)
                missing[own] = ~np.isin(offsets[own], there)
        return rows.only(missing)

    def _insert(self, store: Store, topic_id: str, rows: TableRows) -> dict[Place, int]:
        """Insert; returns the messages that ClickHouse refuses, found by halving, with its error codes."""
        refused: dict[Place, int] = {}
        waiting = [rows] if rows.rows.num_rows else []
        while waiting:
            piece = waiting.pop()
            partitions = piece.numbers("_partition")
            name = query_id(store.database, topic_id, distinct(partitions), uuid4().hex)
            try:
                store.insert(piece.table, in_few_bytes(piece.rows), query_id=name, timeout=INSERT_S)
            except QueryRefused as fault:
                if fault.code not in ROW_FAULTS:
                    raise
                halves = _halves(piece)
                if not halves:
                    refused[int(partitions[0]), int(piece.numbers("_offset")[0])] = fault.code
                waiting += halves
        return refused

    def _refuse(
        self, store: Store, part: SortedMessages, refused: Mapping[Place, int], written: Written
    ) -> None:
        """Make dead letters of messages that ClickHouse refuses, and say so in intake."""
        messages = part.messages
        letters = []
        for place, message in enumerate(messages.raw):
            at = (int(messages.partitions[place]), int(messages.offsets[place]))
            if at in refused:
                facts = Facts(
                    messages.topic,
                    messages.topic_id,
                    *at,
                    int(messages.appended[place]),
                    REFUSED,
                    f"ClickHouse refuses its row (error {refused[at]})",
                )
                letters.append(DeadLetter.of(facts, message))
                key = (messages.topic, at[0])
                written.refused[key] = written.refused.get(key, 0) + 1
        self._sender.send(letters)
        for rows in part.tables:
            if rows.table == "intake":
                self._insert(store, messages.topic_id, _as_dead(rows, set(refused)))


def _halves(rows: TableRows) -> list[TableRows]:
    """The rows of the first and of the second half of the messages; none for a single message."""
    partitions, offsets = rows.numbers("_partition"), rows.numbers("_offset")
    changes = (np.diff(partitions) != 0) | (np.diff(offsets) != 0)
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    if len(starts) == 1:
        return []
    middle = int(starts[len(starts) // 2])
    return [
        TableRows(rows.table, rows.rows.slice(middle)),
        TableRows(rows.table, rows.rows.slice(0, middle)),
    ]


def _as_dead(intake: TableRows, refused: set[Place]) -> TableRows:
    """The intake rows of refused messages, marked: with an equal version the row that comes later stands."""
    places = zip(intake.numbers("_partition").tolist(), intake.numbers("_offset").tolist(), strict=True)
    rows = intake.only(np.array([place in refused for place in places], dtype=np.bool_)).rows
    marked = rows.set_column(
        rows.schema.get_field_index("dead_letter"),
        "dead_letter",
        pa.repeat(pa.scalar(value=True), rows.num_rows),
    )
    return TableRows("intake", marked)
