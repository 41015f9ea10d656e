"""A recorder in the test's own thread, that steps when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from recording_road import Road
from waiting import eventually

from stream_processors.recorder.recorder import Recorder
from stream_processors.settings import ProcessorSettings
from stream_processors.status import StatusFile


@contextmanager
def stepping(road: Road) -> Iterator[tuple[Recorder, Callable[[Callable[[], object]], None]]]:
    """A recorder in this thread, and a way to let it step until something holds."""
    settings = ProcessorSettings(kafka=road.kafka, clickhouse=road.store.settings)
    recorder = Recorder(settings, threading.Event(), StatusFile("recorder", "0", None))

    def until(check: Callable[[], object]) -> None:
        def stepped() -> object:
            recorder.step()
            return check()

        eventually(stepped, within=60)

    try:
        yield recorder, until
    finally:
        recorder.close()
