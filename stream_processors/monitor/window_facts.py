"""What is known of a window when it is judged: merged sketches per slice and column, and the revision they stand for."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream_processors.monitor.progress import JudgedWindow
from stream_processors.statistics.verdict import Sketch


@dataclass(slots=True)
class SliceSketches:
    """One slice of one window: its events, and a sketch per column that accounts for all of them.

    Attributes:
        errors: events whose status is not ok.
        warnings: events that broke the contract and were kept.
        least_part: events of the smallest part that the next smaller judged width has of this slice; None at the smallest.
    """

    events: int = 0
    errors: int = 0
    warnings: int = 0
    least_part: int | None = None
    columns: dict[str, Sketch] = field(default_factory=dict)


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
