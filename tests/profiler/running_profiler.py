"""A profiler that runs beside the test, and the wait until it has read everything."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from profiled_log import SketchLog
from waiting import eventually

from producers.settings import KafkaSettings
from stream_processors.kafka import admin, latest_offsets, partition_counts
from stream_processors.profiler.process import run
from stream_processors.profiler.session import FlushRule
from stream_processors.settings import ProcessorSettings


@contextmanager
def running_profiler(
    settings: KafkaSettings, *, slot: str = "0", rule: FlushRule | None = None
) -> Iterator[threading.Thread]:
    """A profiler in a thread; stopped at the end."""
    stop = threading.Event()
    wanted = ProcessorSettings(kafka=settings, slot=slot, flush_interval=0.3)
    thread = threading.Thread(target=run, args=(wanted, stop), kwargs={"rule": rule}, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(15)
        assert not thread.is_alive()


def all_read(settings: KafkaSettings, *, within: float = 60) -> SketchLog:
    """The sketches, once the profiler has committed everything that is on the topic now.

    It goes on committing stretches of nothing, and a transaction's end comes to one partition before the other: read between the two,
    the log is read again.
    """
    topic = settings.topic("predictions")
    ends = latest_offsets(admin(settings), topic, range(partition_counts(settings)[topic]))

    def read() -> SketchLog:
        log = SketchLog.of(settings)
        assert log.read_up_to() == ends
        assert log.agrees(), "partitions of sketches disagree"
        return log

    return eventually(read, within=within, saying=f"stretches up to {ends}")
