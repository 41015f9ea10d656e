"""The verdict on one column of one slice: is the window drawn from what the reference was drawn from, and does it matter.

``judge_column`` compares a window's sketch with a reference; ``adjust`` decides significance over all columns and slices that were judged
together. Both are pure functions of their arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from stream_processors.sketches import CategoricalSketch, NumericSketch

State = Literal["ok", "drifted", "insufficient", "untestable", "no_reference"]
Material = Literal["none", "warn", "severe"]

DEFAULT_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What matters: PSI excess from which a change is a warning or severe, and the least number of events to judge at all."""

    warn: float = 0.1
    severe: float = 0.25
    minimum_sample: int = 200


@dataclass(frozen=True, slots=True)
class ColumnVerdict:
    """All numbers of a verdict; None where a number does not exist for this column. Field names are those of ``drift.v1.avsc``.

    ``significant`` and ``state`` are final only after ``adjust``. ``p_value`` is None where nothing was tested.
    """

    state: State
    material: Material
    n: int
    reference_n: int
    excluded: int = 0
    significant: bool = False
    psi: float | None = None
    psi_expected: float | None = None
    psi_excess: float | None = None
    jensen_shannon: float | None = None
    kolmogorov_smirnov: float | None = None
    wasserstein: float | None = None
    chi_squared: float | None = None
    null_rate_change: float | None = None
    absent_rate_change: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    tests: dict[str, float] = field(default_factory=dict)
    dispersion: float | None = None
    assumes_independent_rows: bool = True
    bins: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    reference_counts: tuple[int, ...] = ()


def judge_column(
    reference: Sequence[NumericSketch] | Sequence[CategoricalSketch],
    window: NumericSketch | CategoricalSketch,
    thresholds: Thresholds | None = None,
) -> ColumnVerdict:
    """Judge one column of one slice; ``adjust`` all verdicts of the window before reading ``state``.

    Args:
        reference: the reference's windows (one sketch if it has no times), of the same kind as ``window``; empty if there is none.
        window: the window's sketch; its ``absent`` must account for all events (``of_events``).
        thresholds: the column's own, else the defaults.
    """
    raise NotImplementedError


def adjust(verdicts: Sequence[ColumnVerdict], level: float = DEFAULT_LEVEL) -> list[ColumnVerdict]:
    """Adjust the p-values over every tested verdict given (one model version, window and reference), and finish ``significant`` and ``state``."""
    raise NotImplementedError
