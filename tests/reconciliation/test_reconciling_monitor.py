"""The monitor puts resent events right by itself, and says so once, whatever ends it meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from reconciled_road import ReconciledRoad, contract, event
from recording_road import REPOSITORY
from waiting import eventually

TOTALS = "SELECT uniqExact(_partition, _offset) AS n FROM sketches WHERE kind = 'total' AND model = {model:String}"


@contextmanager
def monitor(road: ReconciledRoad) -> Iterator[subprocess.Popen[bytes]]:
    """A monitor that ends (kill -9) with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stream_processors.monitor"],
        env={**road.road.environment, "HINDCAST_ALLOWED_LATENESS": "1"},
        cwd=REPOSITORY,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def put_right(road: ReconciledRoad, model: str, events: int) -> None:
    """Wait until the views count so many events."""

    def right() -> None:
        assert road.events(model) == events

    eventually(right, within=120, saying="the monitor's totals are in the views")


def totals(road: ReconciledRoad, model: str) -> int:
    """Messages of kind total in the record."""
    return int(road.road.store.rows(TOTALS, {"model": model})[0]["n"])


def test_resends_are_put_right_once_and_again_after_more(road: ReconciledRoad) -> None:
    """Totals come by themselves; a monitor that is killed and started again sends them once; later resends bring newer ones."""
    road.publish(contract("watched"))
    road.send([*(event("watched", n) for n in range(200)), *(event("watched", n) for n in range(60))])
    assert road.events("watched") == 260
    with monitor(road):
        put_right(road, "watched", 200)
    before = totals(road, "watched")
    road.send([event("watched", n) for n in range(50, 120)])
    assert road.events("watched") == 270
    with monitor(road):
        put_right(road, "watched", 200)
    windows = road.road.store.rows(
        "SELECT window_start, slice, uniqExact(_partition, _offset) AS n FROM sketches WHERE kind = 'total' AND model = 'watched'"
        " AND column = '@events' GROUP BY window_start, slice, model_version, served, sampling_rate, shape"
    )
    assert before > 0
    assert max(row["n"] for row in windows) <= 2
    assert road.reconcile("watched")[:2] == (0, [])
