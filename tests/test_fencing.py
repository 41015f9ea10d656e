"""A member that Kafka fences: a broker's lapse, or a second process with its slot."""

from __future__ import annotations

import pytest

from stream_processors.fencing import Fenced, Lapses


def _forgiven(times: list[float]) -> int:
    """How many fencings at these moments are forgiven before one is not."""
    moments = iter(times)
    lapses = Lapses(lambda: next(moments))
    for count in range(len(times)):
        try:
            lapses.forgive(Fenced("another has our slot"))
        except Fenced:
            return count
    return len(times)


@pytest.mark.parametrize("times", [[0.0, 20.0], [0.0, 30.0, 60.0, 90.0], [0.0, 1.0, 31.0, 32.0, 62.0]])
def test_brokers_held_still_one_after_the_other_end_nobody(times: list[float]) -> None:
    """Each of them fences a member once, when another coordinator has taken its group."""
    assert _forgiven(times) == len(times)


def test_the_third_time_within_half_a_minute_is_another_process() -> None:
    """Two processes with one slot push each other out every few seconds."""
    assert _forgiven([0.0, 3.0, 6.0]) == 2
