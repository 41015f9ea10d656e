"""The monitor puts resent events right by itself, and says so once, whatever ends it meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from reconciled_road import BEGIN, ReconciledRoad, contract, event
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
    """Rolled up in one life of the monitor, marked in the next, removed in a third; hours and days count on, and no total is sent beside them."""
    windows = {"base": "20m", "rollups": ["1h", "1d"]}
    road.publish(contract("aging", windows=windows, retention_days=365))
    old = [
        {**event("aging", 1_000 + n), "event_time": BEGIN - timedelta(days=60, minutes=n)} for n in range(150)
    ]
    road.send([*(event("aging", n) for n in range(150)), *old])
    # rows of the older contract outlive the windows of the newer one
    road.publish(contract("aging", windows={**windows, "keep_days": 7}, retention_days=7))
    store = road.road.store

    def marked() -> None:
        alone = "SELECT sum(events) AS n FROM rollups FINAL WHERE model = 'aging' AND alone AND column = '@events' AND slice = ''"
        assert store.rows(alone) == [{"n": 150}]

    def gone() -> None:
        left = "SELECT count() AS n FROM sketches WHERE model = 'aging' AND window_start < {begin:DateTime64(6, 'UTC')}"
        assert store.rows(left, {"begin": BEGIN}) == [{"n": 0}]

    with monitor(road):
        rolled_up(road, "aging", 300)
    with monitor(road):
        eventually(marked, within=120, saying="hours that may go are marked")
    assert road.events("aging") == 300
    # ten minutes later
    for statement in (
        "CREATE TABLE aged AS rollups",
        "INSERT INTO aged SELECT * REPLACE (_rolled_at - toIntervalDay(1) AS _rolled_at) FROM rollups FINAL",
        "TRUNCATE TABLE rollups",
        "INSERT INTO rollups SELECT * FROM aged",
        "DROP TABLE aged SYNC",
    ):
        store.command(statement)
    with monitor(road):
        eventually(gone, within=120, saying="old base windows are removed")
        rolled_up(road, "aging", 300)
    assert road.events("aging") == 150
    code, findings, _ = road.reconcile(
        "aging", "--repair", "--since", (BEGIN - timedelta(days=90)).isoformat()
    )
    assert code == 0
    assert {one["cause"] for one in findings} == {"expired"}
    assert totals(road, "aging") == 0
    rolled_up(road, "aging", 300)


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
            "SELECT model, kind, summary FROM alerts_v WHERE metric = 'integrity' AND model IN ('', 'lossy') ORDER BY model"
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
    assert store.rows(
        "SELECT count() AS n FROM alerts FINAL WHERE metric = 'integrity' AND model IN ('', 'lossy')"
    ) == [{"n": 2}]
