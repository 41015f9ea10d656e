"""What a partition had told before a restart is read back from the record."""

from __future__ import annotations

import numpy as np
from flushes import DAY, FIRST_DAY, ordinary
from monitor_road import Road, in_thread
from waiting import eventually

from stream_processors.contracts.effect import ContractHistory
from stream_processors.contracts.model import Windows
from stream_processors.monitor import process
from stream_processors.monitor.headings import Source
from stream_processors.monitor.progress import PartitionProgress
from stream_processors.monitor.record_progress import restored_progress
from stream_processors.topic_ids import topic_ids

MONDAY = FIRST_DAY + 41 * DAY  # 2013-02-11


def _partition(road: Road) -> int:
    """The partition of sketches that the model's deltas are on, once they are recorded."""

    def recorded() -> list[dict[str, int]]:
        return road.store.rows("SELECT DISTINCT _partition AS p FROM sketches WHERE kind = 'delta'")

    return eventually(recorded, within=20)[0]["p"]


def _restored(road: Road, before: int) -> PartitionProgress:
    name = road.settings.kafka.topic("sketches")
    return restored_progress(
        road.store,
        topic_ids(road.settings.kafka, [name])[name],
        _partition(road),
        before,
        1_000_000,
        [Source(road.flushes.topic_id, partition) for partition in road.flushes.positions],
        ContractHistory().applying_between,
    )


def test_a_window_waits_again_until_its_verdict_is_recorded(road: Road) -> None:
    """Before its verdict a restored window waits and becomes due; after it, it does not; nor is a flush lost that had not ended."""
    rng = np.random.default_rng(1)
    road.flushes.flush([ordinary(rng, MONDAY)])
    road.flushes.idle(4)
    end = road.flushes.ends()[_partition(road)]
    eventually(
        lambda: (
            road.store.rows(f"SELECT max(_offset) AS o FROM stretches WHERE _partition = {_partition(road)}")[
                0
            ]["o"]
            > end - 4
        ),
        within=20,
    )
    within = _restored(road, 1)
    assert (within.waiting, within.due().windows) == (1, ()), "its flush has not ended before offset 1"
    whole = _restored(road, end)
    assert len(whole.due().windows) == 1
    assert whole.times.watermark(whole.sources) is not None
    with in_thread(process.run, road.settings):
        road.eventually_verdicts(1, column="@model")
    assert _restored(road, end).waiting == 0


def test_a_week_is_judged_where_its_days_are_too_small(road: Road) -> None:
    """Days of 100 events are insufficient, their week of 700 is judged; a slice whose days suffice is not judged again."""
    windows = Windows(base=86400, rollups=("1w",))
    road.publish(windows=windows)
    rng = np.random.default_rng(2)
    days = [MONDAY + place * DAY for place in range(7)]
    with in_thread(process.run, road.settings):
        road.flushes.flush(
            [ordinary(rng, day, 100) for day in days]
            + [ordinary(rng, day, 300, slice="origin=JFK") for day in days]
        )
        road.flushes.idle(3)
        road.eventually_verdicts(8, column="@model")
    found = {
        ((row["window_end"] - row["window_start"]).days, row["slice"]): (row["state"], row["n"])
        for row in road.verdicts(column="distance")
    }
    assert found == {
        (1, ""): ("insufficient", 100),
        (1, "origin=JFK"): ("ok", 300),
        (7, ""): ("ok", 700),
    }
