"""Two monitors share the partitions, and the one that is left takes all."""

from __future__ import annotations

import numpy as np
from flushes import DAY, FIRST_DAY, ordinary
from monitor_road import MonitorProcess, Road, in_thread
from waiting import eventually

from stream_processors.monitor import process

MONDAY = FIRST_DAY + 40 * DAY
# of two partitions, murmur2 puts two of these on each
MODELS = ("delays", "queues", "cancels", "bags")


def _partitions(road: Road, slot: str) -> set[str]:
    return set(road.heartbeat(slot).get("positions", ()))


def test_two_monitors_share_the_partitions_and_one_takes_over(road: Road) -> None:
    """Each has partitions that the other has not, every model is judged once, and after one has gone the other goes on for it."""
    rng = np.random.default_rng(1)
    name = road.settings.kafka.topic("sketches")
    both = {f"{name}-{partition}" for partition in range(2)}
    with in_thread(process.run, road.settings):
        with MonitorProcess(road, HINDCAST_SLOT="1"):

            def shared() -> None:
                assert len(_partitions(road, "0")) == 1
                assert _partitions(road, "0") | _partitions(road, "1") == both

            eventually(shared, within=30)
            road.flushes.flush([ordinary(rng, MONDAY, model=model) for model in MODELS])
            road.flushes.idle(3)
            hours = road.eventually_verdicts(len(MODELS), column="@model")
            assert {row["model"] for row in hours} == set(MODELS)
            assert {row["_partition"] for row in hours} == {0, 1}, "the models were to be on both partitions"
        eventually(
            lambda: _partitions(road, "0") == both, within=40, saying="the one left has all partitions"
        )
        road.flushes.flush([ordinary(rng, MONDAY + DAY, model=model) for model in MODELS])
        road.flushes.idle(3)
        road.eventually_verdicts(2 * len(MODELS), column="@model")
