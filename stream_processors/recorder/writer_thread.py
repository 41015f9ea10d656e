"""The thread in which batches are written while the next one is consumed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue

from stream_processors.recorder.writer import Batch, Writer, Written


class WriterThread:
    """Writes the batches in the order in which they are given.

    The thread is a daemon: a process that must end does not wait for ClickHouse, because what is left open is read back
    by the next one.
    """

    def __init__(self, writer: Callable[[], Writer]) -> None:
        self._work: SimpleQueue[tuple[Batch, Future[Written]] | None] = SimpleQueue()
        self._writer = writer
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> Future[Written]:
        """Write a batch after those before it; the future says what became of it."""
        future: Future[Written] = Future()
        self._work.put((batch, future))
        return future

    def close(self, within: float) -> None:
        """End after the batches given, or leave the thread behind after ``within`` seconds."""
        self._work.put(None)
        self._thread.join(within)

    def _run(self) -> None:
        writer = self._writer()
        while (work := self._work.get()) is not None:
            batch, future = work
            try:
                future.set_result(writer.write(batch))
            except BaseException as fault:  # noqa: BLE001 - a defect: the loop that waits for it ends with it
                future.set_exception(fault)
