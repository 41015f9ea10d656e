"""The profiling job in Faust: an agent that takes events by the batch and counts in memory, and a timer that sends.

No table: Faust would write a change to Kafka for every event, which costs more than the rest.
"""

from __future__ import annotations

import faust
from measuring import BROKER, PREDICTIONS, SKETCHES, Meter
from sketching import FLUSH_S, Sketches

app = faust.App(
    f"{SKETCHES}-app", broker=f"kafka://{BROKER}", value_serializer="raw", topic_disable_leader=True
)
predictions = app.topic(PREDICTIONS)
output = app.topic(SKETCHES)
sketches, meter = Sketches(), Meter()


@app.agent(predictions)
async def profile(stream: faust.Stream[bytes]) -> None:
    """Count every event."""
    async for values in stream.take(1_000, within=1.0):
        for value in values:
            meter.begin()
            sketches.count(value)
            if meter.end():
                await flush()


@app.timer(FLUSH_S)
async def flush() -> None:
    """Send what was counted."""
    for message in sketches.drain():
        await output.send(value=message)


if __name__ == "__main__":
    app.main()
