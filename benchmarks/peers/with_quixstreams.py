"""The profiling job in Quix Streams: a function applied to every event, which counts in memory and now and then gives sketches to send.

No state store and none of its windows: these keep a window's aggregate as JSON in RocksDB and read and write all of it for every event.
"""

from __future__ import annotations

import time

from measuring import BROKER, EVENTS, PREDICTIONS, SKETCHES, Meter
from quixstreams import Application
from sketching import FLUSH_S, Sketches


class Profile:
    """Counts events; gives the sketches of the last seconds, and nothing in between."""

    def __init__(self) -> None:
        self._sketches, self._meter = Sketches(), Meter()
        self._flushed_at = time.monotonic()

    def __call__(self, value: bytes) -> list[bytes]:
        """Count one event; returns messages to send, mostly none."""
        self._meter.begin()
        self._sketches.count(value)
        if not self._meter.end() and time.monotonic() - self._flushed_at < FLUSH_S:
            return []
        self._flushed_at = time.monotonic()
        return self._sketches.drain()


def main() -> None:
    """Count until all events are seen."""
    app = Application(
        broker_address=BROKER,
        consumer_group=f"{SKETCHES}-app",
        auto_offset_reset="earliest",
        loglevel="WARNING",
    )
    predictions = app.topic(PREDICTIONS, value_deserializer="bytes")
    output = app.topic(SKETCHES, value_serializer="bytes")
    app.dataframe(predictions).apply(Profile(), expand=True).to_topic(output)
    app.run(count=EVENTS)


if __name__ == "__main__":
    main()
