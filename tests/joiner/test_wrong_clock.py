"""Quality measured by a clock that is not the broker's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from joiner.joining_road import DAY, Road, said, told
from waiting import eventually

from producers.errors import TransientError
from stream_processors.contracts.follower import ContractFollower
from stream_processors.joiner.micros import SECOND
from stream_processors.joiner.publishing import Publisher
from stream_processors.joiner.quality.measuring import Measuring

_HOUR = 3600 * SECOND
_INTERVAL_S = 0.5


class Clock:
    """Our time, which is off by some microseconds."""

    off = 0

    def __call__(self) -> int:
        """Microseconds since 1970."""
        return time.time_ns() // 1000 + self.off


class Measured:
    """A `Measuring` of every model, stepped by the test."""

    def __init__(self, road: Road, measuring: Measuring) -> None:
        self._road, self._measuring = road, measuring
        self.sent = 0

    def step(self) -> None:
        """One step; one that fails for a server that is busy is made again by the next, as in the process."""
        with suppress(TransientError):
            self.sent += self._measuring.step()

    def eventually_labelled(self, model: str, count: int) -> None:
        """Steps until the last revision of the model's only window has so many labels."""

        def labelled() -> None:
            self.step()
            assert [row["labelled"] for row in self._road.quality(model)] == [count]

        eventually(labelled, within=30, saying=f"{count} labelled of {model}")

    def settle(self) -> None:
        """Steps until the windows have closed, what was sent is recorded, and nothing is due."""
        self._road.close_windows()

        def settled() -> bool:
            self.step()
            with suppress(TransientError):
                return self._measuring.waiting() == 0
            return False

        eventually(settled, within=30, saying="nothing is due")

    def rows_of_the_next(self, points: int, clock: Clock) -> int:
        """How many rows the next points of the grid bring, each of which comes at once."""
        before = self.sent
        for _ in range(points):
            clock.off += int(_INTERVAL_S * SECOND)
            for _ in range(3):
                self.step()
        return self.sent - before


@contextmanager
def measuring(road: Road, clock: Clock) -> Iterator[Measured]:
    """Quality by this clock; whoever leaves has ended the process."""
    contracts = ContractFollower(road.kafka)
    publisher = Publisher(road.kafka, None, stopping=lambda: False)
    made = Measuring(
        road.store,
        road.marks,
        contracts,
        publisher,
        interval_s=_INTERVAL_S,
        lateness_s=0,
        now=clock,
        clock=lambda: 0.0,
    )
    made.own(set(range(road.marks.partitions)))
    try:
        yield Measured(road, made)
    finally:
        publisher.close()
        contracts.close()


@pytest.fixture
def road(own_road: Road) -> Road:
    """A recorder, and a joiner that leaves quality to the test."""
    own_road.start("recorder")
    own_road.start("joiner", HINDCAST_QUALITY_INTERVAL="86400")
    return own_road


def test_a_clock_behind_the_broker_s_measures_what_came_and_does_so_once(road: Road) -> None:
    """Facts of a moment that our clock has not come to are in the next revision, and make no more of them."""
    clock = Clock()
    clock.off = -2 * _HOUR
    with measuring(road, clock) as measured:
        road.send("predictions", [said("b0", "behind", DAY)])
        road.send("labels", [told("b0", "behind", DAY)])
        measured.eventually_labelled("behind", 1)
        measured.settle()
        assert measured.rows_of_the_next(5, clock) == 0


def test_a_clock_that_was_set_back_goes_on_measuring(road: Road) -> None:
    """What is measured after a day's jump forth and back replaces what was measured between."""
    clock = Clock()
    clock.off = 24 * _HOUR
    with measuring(road, clock) as measured:
        road.send("predictions", [said(f"s{k}", "set back", DAY) for k in range(3)])
        road.send("labels", [told("s0", "set back", DAY)])
        measured.eventually_labelled("set back", 1)
        measured.settle()
        clock.off = 0
        road.send("labels", [told("s1", "set back", DAY + timedelta(seconds=1))])
        measured.eventually_labelled("set back", 2)
        road.send("labels", [told("s2", "set back", DAY + timedelta(seconds=2))])
        measured.eventually_labelled("set back", 3)
        measured.settle()
        assert measured.rows_of_the_next(5, clock) == 0


def test_what_comes_while_a_joiner_whose_clock_is_ahead_is_away_is_measured(road: Road) -> None:
    """Its revisions are of later than what it has counted: how far that reaches is told by when they were appended."""
    clock = Clock()
    clock.off = 2 * _HOUR
    with measuring(road, clock) as measured:
        road.send("predictions", [said(f"a{k}", "ahead", DAY) for k in range(2)])
        road.send("labels", [told("a0", "ahead", DAY)])
        measured.eventually_labelled("ahead", 1)
        measured.settle()
    road.send("labels", [told("a1", "ahead", DAY)])
    with measuring(road, clock) as measured:
        measured.eventually_labelled("ahead", 2)
