"""What is known of a window when it is judged: merged sketches per slice and column, and the revision they stand for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from stream_processors.monitor.progress import JudgedWindow
from stream_processors.statistics.effective_size import Weights, effective_size
from stream_processors.statistics.verdict import Sketch


@dataclass(slots=True)
class SliceSketches:
    """One slice of one window: its events, and a sketch per column that accounts for all of them, as many as they tell.

    Attributes:
        events: how many were counted, by sampling rate.
        errors: those of them whose status is not ok.
        warnings: how many broke the contract and were kept, of all rates.
        shapes: events by the shape of the contract that they were admitted under, and by sampling rate.
        least_part: effective size of the smallest part that the next smaller judged width has of this slice; None at the smallest.
    """

    events: Counter[float] = field(default_factory=Counter)
    errors: Counter[float] = field(default_factory=Counter)
    warnings: int = 0
    shapes: dict[str, Counter[float]] = field(default_factory=dict)
    least_part: int | None = None
    columns: dict[str, Sketch] = field(default_factory=dict)

    def events_of(self, shapes: set[str]) -> Counter[float]:
        """Events that were admitted under contracts of these shapes, by sampling rate."""
        found: Counter[float] = Counter()
        for shape in shapes & self.shapes.keys():
            found += self.shapes[shape]
        return found

    @property
    def n(self) -> int:
        """How many events of one sampling rate tell as much; their number where there is one rate."""
        return effective_size(self.events)

    @property
    def error_rate(self) -> float | None:
        """Share of errors, estimated of the whole; None without events."""
        weights = Weights.of(self.events)
        total = sum(weights.at(rate) * count for rate, count in self.events.items())
        return sum(weights.at(rate) * count for rate, count in self.errors.items()) / total if total else None


@dataclass(slots=True)
class WindowFacts:
    """All that a window's verdicts are made of.

    Attributes:
        revision: offset of the stretch that closed the latest flush included, in the window's partition of ``sketches``.
        revised_at: that stretch's append time, microseconds: the contract in effect then is the one judged under.
        slices: by name; the whole is ``''``.
    """

    window: JudgedWindow
    revision: int
    revised_at: int
    slices: dict[str, SliceSketches] = field(default_factory=dict)
