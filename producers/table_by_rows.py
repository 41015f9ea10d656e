"""Sends tables message by message: for a sink without a way of its own for many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from producers.sink import PURGED, Refusal, Report, SinkFull, SinkRefused, TableRows

Send = Callable[[str, bytes, bytes, Report], None]


class TableByRows:
    """The messages of one table at a time, handed on as there is room.

    Args:
        send: as `Sink.send`; its reports come while it is being polled.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._rows: TableRows | None = None
        self._messages: Iterator[tuple[int, bytes, bytes]] = iter(())
        self._next: tuple[int, bytes, bytes] | None = None
        self._unsent = self._unsettled = 0
        self._refused: list[tuple[int, Refusal]] = []

    def ready(self) -> bool:
        """Whether nothing is under way."""
        return self._rows is None

    def send(self, rows: TableRows) -> None:
        """Take the messages of a table; see `Sink.send_table`."""
        if self._rows is not None:
            raise SinkFull
        assert rows.values is not None
        keys = (key.encode() for key in rows.keys.to_pylist())
        self._rows, self._refused = rows, []
        self._messages = zip(range(len(rows.keys)), keys, rows.values.to_pylist(), strict=True)
        self._unsent = self._unsettled = len(rows.keys)
        self._next = next(self._messages, None)
        self._hand_on()

    def poll(self, _seconds: float) -> None:
        """Hand on what there is room for now, and report where all is known."""
        self._hand_on()
        rows = self._rows
        if rows is None:
            return
        rows.progress(self._unsettled)
        if not self._unsettled:
            self._rows = None
            rows.settled(sorted(self._refused, key=lambda one: one[0]))

    def waiting(self) -> int:
        """Messages that were not handed on yet, and one for those that were, until their table is reported on."""
        return self._unsent + (self._rows is not None)

    def purge(self) -> None:
        """Give up what was not handed on."""
        while self._next is not None:
            self._lose(self._next[0], SinkRefused(PURGED))
            self._step()

    def close(self) -> None:
        """Forget what is under way."""
        self._rows, self._next, self._unsent = None, None, 0

    def _hand_on(self) -> None:
        while self._next is not None:
            place, key, value = self._next
            assert self._rows is not None
            try:
                self._send(self._rows.stream, key, value, self._report(place))
            except SinkFull:
                return
            except SinkRefused as refusal:
                self._lose(place, refusal)
            self._step()

    def _step(self) -> None:
        self._unsent -= 1
        self._next = next(self._messages, None)

    def _report(self, place: int) -> Report:
        def report(refusal: Refusal | None, _message: object) -> None:
            if refusal is None:
                self._unsettled -= 1
            else:
                self._lose(place, refusal)

        return report

    def _lose(self, place: int, refusal: Refusal) -> None:
        self._refused.append((place, refusal))
        self._unsettled -= 1
