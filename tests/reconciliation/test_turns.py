"""What the monitor does after the verdicts has its turn, also where there is always another verdict to make."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from queue import SimpleQueue
from typing import Any

import pytest
from reconciled_road import BEGIN, ReconciledRoad, event
from waiting import eventually

from stream_processors.contracts.follower import ContractFollower
from stream_processors.monitor.outbox import Outbox
from stream_processors.monitor.rounds import Assigned, Delivered, Rounds
from stream_processors.monitor.topology import Topology


class Busy(Rounds):
    """Rounds in which late events bring new windows to be judged without end."""

    def _judge_some(self, *_: Any) -> bool:
        return True


@pytest.fixture
def rounds(road: ReconciledRoad) -> Iterator[Rounds]:
    """The monitor's rounds over all partitions of ``sketches``, on a clock by which every look finds a minute gone."""
    inbox: SimpleQueue[Assigned | Delivered] = SimpleQueue()
    follower, topology = ContractFollower(road.road.kafka), Topology(road.road.kafka)
    outbox = Outbox(road.road.kafka)
    minutes = iter(range(0, 1_000_000, 60))
    yield Busy(
        road.road.store,
        follower,
        topology,
        outbox,
        inbox=inbox,
        lateness=0,
        clock=lambda: float(next(minutes)),
    )
    for one in (follower, topology, outbox):
        one.close()


def test_resends_are_put_right_and_hours_rolled_up_while_verdicts_never_end(
    road: ReconciledRoad, rounds: Rounds
) -> None:
    """A stream of late events keeps the monitor judging for hours: sketches that counted a resend twice do not stay so."""
    minutes = timedelta(minutes=1)
    events = [event("busy", n, event_time=BEGIN + minutes, sampling_rate=1.0) for n in range(30)]
    road.send(events)
    road.send(events[:10])
    assert road.events("busy") == 40
    rounds._inbox.put(Assigned(frozenset(road.road.ends("sketches"))))

    def right() -> None:
        assert rounds.round()
        assert road.events("busy") == 30
        assert road.road.rows("SELECT count() AS n FROM rollups WHERE model = 'busy' AND width = 3600")[0][
            "n"
        ]

    eventually(right, within=60, saying="a total replaces what was counted twice, and its hour is rolled up")
