"""The watchdog barks at silence where there is something to say, and at nothing else."""

from __future__ import annotations

import pytest

from stream_processors.monitor.watchdog import FaustCeased, Watchdog


def test_a_partition_that_has_more_and_is_not_fetched_is_noticed() -> None:
    """Sixty seconds behind the end without moving is Faust's fault."""
    dog = Watchdog(60)
    dog.look(0, {0: 5}, {0: 9}, received=5, handled=5)
    dog.look(60, {0: 5}, {0: 9}, received=5, handled=5)
    with pytest.raises(FaustCeased, match="sketches-0"):
        dog.look(61, {0: 5}, {0: 9}, received=5, handled=5)


def test_a_partition_at_its_end_may_rest_for_ever() -> None:
    """Idle is not silent; time spent at the end does not count once more comes."""
    dog = Watchdog(60)
    for now in (0, 1000, 2000):
        dog.look(now, {0: 9}, {0: 9}, received=9, handled=9)
    dog.look(2030, {0: 9}, {0: 12}, received=9, handled=9)


def test_a_partition_that_moves_is_fetched_however_far_behind() -> None:
    """Lag is no silence."""
    dog = Watchdog(60)
    for now in range(0, 600, 50):
        dog.look(now, {0: now}, {0: 10**6}, received=now, handled=now)


def test_messages_that_do_not_reach_the_agent_are_noticed() -> None:
    """Fetching goes on and the agent gets nothing: noticed; an agent that has all it was sent is not blamed."""
    dog = Watchdog(60)
    dog.look(0, {0: 5}, {0: 5}, received=5, handled=5)
    dog.look(50, {0: 7}, {0: 7}, received=7, handled=5)
    with pytest.raises(FaustCeased, match="reached the agent"):
        dog.look(70, {0: 9}, {0: 9}, received=9, handled=5)
    dog.look(200, {1: 9}, {1: 9}, received=9, handled=9)
    dog.look(900, {1: 9}, {1: 9}, received=9, handled=9)


def test_a_rebalance_begins_anew() -> None:
    """What a rebalance dropped unhandled is not held against the agent."""
    dog = Watchdog(60)
    dog.look(0, {0: 5}, {0: 5}, received=5, handled=5)
    dog.look(30, {0: 9}, {0: 9}, received=9, handled=5)
    dog.look(59, {0: 9, 1: 0}, {0: 9, 1: 0}, received=9, handled=5)
    dog.look(500, {0: 9, 1: 0}, {0: 9, 1: 0}, received=9, handled=5)
