"""Messages in the air are counted, and those that a rebalance dropped are not waited for."""

from __future__ import annotations

from stream_processors.monitor.flight import Flight


def test_what_was_fetched_and_not_handled_is_in_the_air() -> None:
    """It lands as it is handled; what was outstanding at the assignment does not count."""
    flight = Flight(0, fetched=10, handled=7)
    assert flight.messages(0, 10, 7) == 0
    assert flight.messages(1, 15, 7) == 5
    assert flight.messages(2, 15, 12) == 0


def test_what_has_not_landed_for_long_was_dropped() -> None:
    """Nothing handled for five seconds: what is missing will not come; new messages count again."""
    flight = Flight(0, 0, 0)
    assert flight.messages(1, 5, 2) == 3
    assert flight.messages(4, 5, 2) == 3
    assert flight.messages(7, 5, 2) == 0
    assert flight.messages(8, 6, 2) == 1
