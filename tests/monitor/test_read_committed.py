"""Faust reads uncommitted messages unless it is made not to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import faust
import pytest
from flushes import FIRST_DAY, Flushes, contract, ordinary
from numpy.random import default_rng

from producers.settings import KafkaSettings
from stream_processors.monitor.faust_app import faust_app
from stream_processors.monitor.headings import DeltaHeading, read_heading

LIMIT_S = 20.0


async def _deltas_read(app: faust.App, taken: list[bytes], last: int) -> int:
    """Deltas delivered until the last stretch has come."""
    await app.start()
    try:
        async with asyncio.timeout(LIMIT_S):
            while sum(1 for value in taken if not isinstance(read_heading(value), DeltaHeading)) < last:
                await asyncio.sleep(0.05)
    finally:
        await app.stop()
    return sum(1 for value in taken if isinstance(read_heading(value), DeltaHeading))


@pytest.mark.parametrize(("made", "deltas"), [("ours", 1), ("faust's own", 2)])
def test_deltas_of_an_aborted_flush_are_not_delivered(
    kafka: str, topic_prefix: str, tmp_path: Path, made: str, deltas: int
) -> None:
    """Our app never sees them; Faust's own does, which is why ours is needed."""
    settings = KafkaSettings(bootstrap=kafka, topic_prefix=topic_prefix)
    flushes = Flushes(settings, contract(), partitions=1)
    rng = default_rng(0)
    flushes.flush([ordinary(rng, FIRST_DAY)], abort=True)
    flushes.flush([ordinary(rng, FIRST_DAY)])
    taken: list[bytes] = []
    app = faust_app(
        settings,
        "0",
        tmp_path,
        lambda *message: taken.append(message[-1] or b""),
        lambda _: None,
    )
    if made != "ours":
        app.transport = faust.App._new_transport(app)
    stretches = 1 if made == "ours" else 2
    assert asyncio.run(_deltas_read(app, taken, stretches)) == deltas
