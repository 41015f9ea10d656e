"""The monitor puts resent events right by itself, and says so once, whatever ends it meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from reconciled_road import ReconciledRoad, contract, event
from recording_road import REPOSITORY
from waiting import eventually

TOTALS = (
    "SELECT uniqExact(_partition, _offset) AS n FROM sketches WHERE kind = 'total' AND model = {model:String}"
)


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


def rolled_up(road: ReconciledRoad, model: str, events: int) -> None:
    """Wait until hours and days count so many events, and nothing overtakes them."""
    counted = "SELECT width, sum(events) AS n FROM rollups FINAL WHERE model = {model:String} AND column = '@events' AND slice = '' GROUP BY width ORDER BY width"
    between = (
        "SELECT uniqExact(window_end - window_start) AS widths, min(window_end - window_start) AS seconds, sum(events) AS n"
        " FROM feature_windows_between(model = {model:String}, environment = 'production', since = '1970-01-01', until = '2299-12-31', widest = 86400)"
        " WHERE column = '@events' AND slice = ''"
    )

    def right() -> None:
        assert road.road.store.rows(counted, {"model": model}) == [
            {"width": 3600, "n": events},
            {"width": 86400, "n": events},
        ]
        asked = road.road.store.rows(between, {"model": model})
        assert asked == [{"widths": 1, "seconds": 86400.0, "n": events}]

    eventually(right, within=120, saying="what has closed is rolled up")


def test_resends_are_put_right_once_and_again_after_more(road: ReconciledRoad) -> None:
    """Totals come by themselves, and hours and days after them; a monitor that is killed and started again sends them once; later resends bring newer ones."""
    road.publish(contract("watched", windows={"base": "20m", "rollups": ["1h", "1d"]}))
    road.send([*(event("watched", n) for n in range(200)), *(event("watched", n) for n in range(60))])
    assert road.events("watched") == 260
    # as an import brings it: sketches of a topic that is not here
    road.road.store.command(
        "INSERT INTO sketches SELECT * REPLACE ('imported' AS _topic_id, 'elsewhere' AS model)"
        " FROM (SELECT * FROM sketches WHERE model = 'watched' AND kind = 'delta')"
    )
    with monitor(road):
        put_right(road, "watched", 200)
        rolled_up(road, "watched", 200)
        rolled_up(road, "elsewhere", 260)
    before = totals(road, "watched")
    road.send([event("watched", n) for n in range(50, 120)])
    assert road.events("watched") == 270
    with monitor(road):
        put_right(road, "watched", 200)
        rolled_up(road, "watched", 200)
    windows = road.road.store.rows(
        "SELECT window_start, slice, uniqExact(_partition, _offset) AS n FROM sketches WHERE kind = 'total' AND model = 'watched'"
        " AND column = '@events' GROUP BY window_start, slice, model_version, served, sampling_rate, shape"
    )
    assert before > 0
    assert max(row["n"] for row in windows) <= 2
    assert road.reconcile("watched")[:2] == (0, [])


def test_base_windows_expire_by_contract(road: ReconciledRoad) -> None:
    """Sketches older than the contract keeps them leave once they are rolled up; hours and days count on, younger windows stay, a monitor killed meanwhile or not."""
    road.publish(
        contract("aging", windows={"base": "20m", "rollups": ["1h", "1d"], "keep_days": 7}, retention_days=7)
    )
    road.send(event("aging", n) for n in range(150))
    store = road.road.store
    store.command(
        "INSERT INTO sketches SELECT * REPLACE ('older' AS _topic_id, window_start - toIntervalDay(30) AS window_start,"
        " window_end - toIntervalDay(30) AS window_end) FROM (SELECT * FROM sketches WHERE model = 'aging' AND kind = 'delta')"
    )

    def gone() -> None:
        left = "SELECT DISTINCT _topic_id = 'older' AS older FROM sketches WHERE model = 'aging'"
        assert store.rows(left) == [{"older": 0}]

    for life in range(2):
        with monitor(road):
            if life:
                eventually(gone, within=120, saying="old base windows are removed")
            rolled_up(road, "aging", 300)
    assert road.events("aging") == 150
    alone = "SELECT sum(events) AS n FROM rollups FINAL WHERE model = 'aging' AND alone AND column = '@events' AND slice = ''"
    assert store.rows(alone) == [{"n": 150}]
    assert road.reconcile("aging")[:2] == (0, [])


def test_a_lost_row_and_a_miscounted_stretch_raise_an_alert_once(road: ReconciledRoad) -> None:
    """A prediction without its row, and a stretch that counts other messages than intake, are said on `alerts`, by two monitors' lives once."""
    road.send(event("lossy", n) for n in range(40))
    store = road.road.store
    store.command(
        "ALTER TABLE predictions DELETE WHERE model = 'lossy' AND prediction_id = 'p7' SETTINGS mutations_sync = 2"
    )
    store.command(
        "ALTER TABLE stretches UPDATE events = events + 1 WHERE (topic_id, source_partition, first_offset) IN"
        " (SELECT topic_id, source_partition, first_offset FROM stretches WHERE events > 0 ORDER BY _offset DESC LIMIT 1) SETTINGS mutations_sync = 2"
    )

    def said() -> None:
        found = store.rows(
            "SELECT model, kind, summary FROM alerts_v WHERE metric = 'integrity' ORDER BY model"
        )
        assert [(row["model"], row["kind"]) for row in found] == [
            ("", "operational"),
            ("lossy", "operational"),
        ]
        assert "profilers counted" in found[0]["summary"]
        assert "1 of " in found[1]["summary"]

    with monitor(road):
        eventually(said, within=120, saying="both alerts are recorded")
    with monitor(road):
        road.send([event("lossy", 41), event("lossy", 41)])
        put_right(road, "lossy", 41)
    said()
    assert store.rows("SELECT count() AS n FROM alerts FINAL WHERE metric = 'integrity'") == [{"n": 2}]
