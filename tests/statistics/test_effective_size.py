"""Events kept at several sampling rates: what each weighs, and how many they are worth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_processors.statistics.effective_size import Weights, effective_size

RATES = st.floats(1e-6, 1.0)


@given(st.dictionaries(RATES, st.integers(0, 10**6), max_size=5))
def test_it_is_kish_s_of_the_events_one_by_one(events: dict[float, int]) -> None:
    """(sum w)^2 / sum w^2 with w = 1 / rate, at most the number of events; the weights add up to it, and are as 1 / rate among themselves."""
    w, counts = 1 / np.array(list(events)), np.array(list(events.values()), dtype=np.float64)
    kish = (w @ counts) ** 2 / (np.square(w) @ counts) if counts.any() else 0.0
    assert effective_size(events) == pytest.approx(kish, abs=0.5 + 1e-6 * kish)
    assert effective_size(events) <= sum(events.values())
    weights = Weights.of(events)
    assert [weights.at(rate) * rate for rate in events] == pytest.approx(
        [weights.at(1.0)] * len(events), rel=1e-9
    )


@given(RATES, st.integers(0, 10**12))
def test_events_of_one_rate_are_as_many_as_they_are(rate: float, count: int) -> None:
    """Each counts exactly 1, whatever the rate."""
    assert (Weights.of({rate: count}).at(rate), effective_size({rate: count})) == (1.0, count)


def test_a_share_s_variance_is_about_that_of_the_effective_size() -> None:
    """Of two rates that have nothing to do with the values: the estimate of a share varies as that of so many events of one weight."""
    rng = np.random.default_rng(1)
    events = {0.1: 500, 1.0: 2_000}
    weights = Weights.of(events)
    total = sum(weights.at(rate) * count for rate, count in events.items())
    hits = sum(weights.at(rate) * rng.binomial(count, 0.3, 20_000) for rate, count in events.items())
    assert np.var(hits / total) == pytest.approx(0.3 * 0.7 / effective_size(events), rel=0.05)
