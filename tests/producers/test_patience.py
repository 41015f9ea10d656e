"""Waiting that goes on while something moves, on a clock of the test's own."""

from __future__ import annotations

import threading

from producers.patience import Patience


class Steps:
    """A count and a clock that go on by one at each look, the count only up to a moment."""

    def __init__(self, until: float) -> None:
        self.now = 0.0
        self.until = until
        self.count = 0

    def progress(self) -> int:
        """The count."""
        self.count += self.now < self.until
        return self.count

    def clock(self) -> float:
        """The time, one second after the last look."""
        self.now += 1.0
        return self.now


def patience_of(steps: Steps, quiet: float) -> Patience:
    """Patience with those steps that does not really wait."""
    return Patience(steps.progress, quiet, steps.clock)


def test_it_lasts_while_there_is_progress_and_a_while_longer() -> None:
    """A hundred seconds of progress are waited for with three seconds of patience, and then these three."""
    steps = Steps(until=100)
    assert not patience_of(steps, 3).outlasts(_Never())
    assert 102 <= steps.now <= 105


def test_what_is_done_needs_no_patience() -> None:
    """Something done is done, without a look and with no patience at all."""
    done = threading.Event()
    done.set()
    steps = Steps(until=0)
    assert patience_of(steps, 0).outlasts(done)
    assert steps.now == 0
    assert not patience_of(steps, 0).outlasts(threading.Event())


def test_having_run_out_it_waits_again_only_for_progress() -> None:
    """What comes after a silence does not wait as long again, until there is progress again."""
    steps = Steps(until=0)
    patience = patience_of(steps, 5)
    assert not patience.outlasts(_Never())
    before = steps.now
    for _ in range(10):
        assert not patience.outlasts(_Never())
    assert steps.now == before + 10  # one look each
    steps.until = steps.now + 50
    assert not patience.outlasts(_Never())
    assert steps.now >= before + 60


class _Never(threading.Event):
    """What never comes, and takes no time not to."""

    def wait(self, timeout: float | None = None) -> bool:
        """Return at once."""
        return False
