"""Kish's effective sample size: how many events of one weight tell as much as events that were kept at several sampling rates.

An event kept with probability r stands for ``w = 1 / r`` events, and all of them tell as much as ``n_eff = (sum w)^2 / sum w^2`` events of one weight (Kish 1965,
*Survey Sampling*). Events weigh so that their weights add up to that: shares are estimates of the whole, and tests see no more events than there is evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """What an event of each sampling rate counts as: ``unit`` at the ``lowest`` rate, less at higher ones, exactly 1 where there is one rate."""

    lowest: float = 1.0
    unit: float = 1.0

    @classmethod
    def of(cls, events: Mapping[float, int]) -> Weights:
        """The weights of so many events by sampling rate, in (0, 1].

        >>> weights = Weights.of({0.1: 970, 1.0: 290})
        >>> round(weights.at(0.1), 4), round(weights.at(1.0), 4)
        (1.0268, 0.1027)
        """
        lowest = min((rate for rate, count in events.items() if count), default=None)
        if lowest is None:
            return cls(min(events, default=1.0))
        weighed = [(lowest / rate, count) for rate, count in events.items()]
        total, squares = sum(w * count for w, count in weighed), sum(w * w * count for w, count in weighed)
        return cls(lowest, total / squares)

    def at(self, rate: float) -> float:
        """The weight of an event of this rate."""
        return self.unit * (self.lowest / rate)


def effective_size(events: Mapping[float, int]) -> int:
    """Return the effective size of so many events by sampling rate, to the nearest whole; their number where there is one rate.

    >>> effective_size({0.1: 970, 1.0: 290}), effective_size({0.1: 970})
    (1026, 970)
    """
    weights = Weights.of(events)
    return round(sum(weights.at(rate) * count for rate, count in events.items()))
