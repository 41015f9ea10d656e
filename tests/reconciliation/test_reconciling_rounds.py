"""Rounds of the monitor's reconciling, step by step, on a real topic and a real record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from reconciled_road import BEGIN, ReconciledRoad, event
from waiting import eventually

from stream_processors.monitor.outbox import Outbox, Places
from stream_processors.monitor.reconciling import Reconciling
from stream_processors.monitor.topology import Topology

HOUR = 3_600_000_000
FIRST = int(BEGIN.timestamp()) * 1_000_000
NOW = FIRST + 30 * HOUR


class Held(Topology):
    """A topology that says, while it is held, that the recorder has yet to come so far."""

    held = False
    looks = 0

    def all_recorded(self, places: Places) -> bool:
        """As the recorder's offsets say, unless it is held; where it is so of sketches, a look follows, which is counted."""
        found = not self.held and super().all_recorded(places)
        self.looks += found and any(topic == "sketches" for topic, _ in places)
        return found


@pytest.fixture
def topology(road: ReconciledRoad) -> Iterator[Held]:
    """What the monitor knows of the topics."""
    found = Held(road.road.kafka)
    found.refresh()
    yield found
    found.close()


def test_a_delta_that_comes_after_the_record_was_asked_is_looked_at_again(
    road: ReconciledRoad, topology: Held
) -> None:
    """A window changes while the recorder is waited for, and its delta is not in the record at the look: it is put right later."""
    minutes = timedelta(minutes=1)
    events = [event("late", n, event_time=BEGIN + minutes, sampling_rate=1.0) for n in range(30)]
    road.send(events)
    store = road.road.store
    (row,) = store.rows(
        "SELECT DISTINCT toUnixTimestamp64Micro(window_start) AS start, toUnixTimestamp64Micro(window_end) AS end"
        " FROM sketches WHERE model = 'late' AND column = '@events' AND slice = ''"
    )
    model, window = ("late", "production"), (row["start"], row["end"])
    clock = iter(range(0, 100_000, 1_000))
    reconciling = Reconciling(
        store, topology, Outbox(road.road.kafka), lateness=0, clock=lambda: float(next(clock))
    )
    reconciling.changed(model, window)
    topology.held = True
    reconciling.round(NOW)
    # heard of on the topic, and not in the record yet
    reconciling.changed(model, window)
    topology.held = False

    def looked() -> bool:
        reconciling.round(NOW)
        return topology.looks > 0

    eventually(looked, saying="the record is asked")
    road.send(events[:10])
    assert road.events("late") == 40

    def right() -> None:
        reconciling.round(NOW)
        assert road.events("late") == 30

    eventually(right, saying="a total replaces what was counted twice")
    reconciling.round(NOW)
    assert (reconciling.waiting, reconciling.totals) == (
        0,
        len(
            store.rows(
                "SELECT DISTINCT _partition, _offset FROM sketches WHERE kind = 'total' AND model = 'late'"
            )
        ),
    )


def test_a_pass_over_many_models_leaves_time_for_verdicts(road: ReconciledRoad, topology: Held) -> None:
    """Where a look takes long a round ends after it, and the next goes on with the other models; all are put right in one pass."""
    models = ["slow", "slower", "slowest"]
    minutes = timedelta(minutes=1)
    events = [
        event(name, n, event_time=BEGIN + minutes, sampling_rate=1.0) for name in models for n in range(5)
    ]
    road.send(events)
    road.send(events)
    store = road.road.store
    clock = iter(range(0, 100_000, 100))
    reconciling = Reconciling(
        store, topology, Outbox(road.road.kafka), lateness=0, clock=lambda: float(next(clock))
    )
    for row in store.rows(
        "SELECT DISTINCT model, toUnixTimestamp64Micro(window_start) AS start, toUnixTimestamp64Micro(window_end) AS end"
        " FROM sketches WHERE model IN {models:Array(String)} AND column = '@events' AND slice = ''",
        {"models": models},
    ):
        reconciling.changed((row["model"], "production"), (row["start"], row["end"]))
    sent = [0]
    while reconciling.waiting or len(sent) == 1:
        reconciling.round(NOW)
        if reconciling.totals > sent[-1]:
            sent.append(reconciling.totals)
    assert len(sent) == 1 + len(models)
    road.settled()
    assert [road.events(name) for name in models] == [5, 5, 5]
