"""The verdict on one column of one slice: is the window drawn from what the reference was drawn from, and does it matter.

``judge_column`` compares a window's sketch with a reference; ``adjust`` decides significance over all columns and slices that were judged together. Both are
pure functions of their arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from stream_processors.sketches import CategoricalSketch, NumericSketch
from stream_processors.statistics.benjamini_hochberg import benjamini_hochberg
from stream_processors.statistics.categorical_comparison import compare_categorical
from stream_processors.statistics.categorical_reference import CategoricalReference
from stream_processors.statistics.comparison import Comparison
from stream_processors.statistics.numeric_comparison import compare_numeric
from stream_processors.statistics.numeric_reference import NumericReference

State = Literal["ok", "drifted", "insufficient", "untestable", "no_reference"]
Material = Literal["none", "warn", "severe"]

Sketch = NumericSketch | CategoricalSketch
Reference = NumericReference | CategoricalReference

DEFAULT_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What matters: PSI excess above which a change is a warning or severe, and the least number of events to judge at all."""

    warn: float = 0.1
    severe: float = 0.25
    minimum_sample: int = 200


@dataclass(frozen=True, slots=True)
class ColumnVerdict:
    """All numbers of a verdict; None where a number does not exist for this column. Field names are those of ``drift.v1.avsc``.

    ``significant`` and ``state`` are final only after ``adjust``. ``p_value`` is None where nothing was tested. ``excluded`` are the window's events without a
    value (null, NaN, infinite, absent): they have bins of their own, but no part in tests and distances of the values. ``dispersion`` is the
    greatest factor by which a statistic exceeds chance among usual windows of this size.
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


def reference_of(series: Sequence[Sketch]) -> Reference | None:
    """Make a series of sketches ready as a reference, once for many windows; None without any event. ``TypeError`` where kinds are mixed."""
    numeric = [sketch for sketch in series if isinstance(sketch, NumericSketch)]
    categorical = [sketch for sketch in series if isinstance(sketch, CategoricalSketch)]
    if numeric and categorical:
        raise TypeError("a reference holds numeric or categorical sketches, not both")
    if not any(sketch.n for sketch in series):
        return None
    return NumericReference.of(numeric) if numeric else CategoricalReference.of(categorical)


def judge_column(
    reference: Reference | Sequence[Sketch] | None,
    window: Sketch,
    thresholds: Thresholds | None = None,
    spans: float = 1.0,
) -> ColumnVerdict:
    """Judge one column of one slice; ``adjust`` all verdicts of the window before reading ``state``.

    Args:
        reference: from ``reference_of``, or the series itself (one sketch if it has no times), of the window's kind; None or empty if there is none.
        window: the window's sketch; its ``absent`` must account for all events (``of_events``).
        thresholds: the column's own, else the defaults.
        spans: how many of the reference's windows the window is as long as.
    """
    limits = thresholds or Thresholds()
    if not isinstance(reference, NumericReference | CategoricalReference | None):
        reference = reference_of(reference)
    n = window.n
    if reference is None:
        return ColumnVerdict(state="no_reference", material="none", n=n, reference_n=0)
    if min(n, reference.n) < max(1, limits.minimum_sample):
        return ColumnVerdict(state="insufficient", material="none", n=n, reference_n=reference.n)
    if isinstance(reference, NumericReference) and isinstance(window, NumericSketch):
        return _verdict(compare_numeric(reference, window, spans), limits)
    if isinstance(reference, CategoricalReference) and isinstance(window, CategoricalSketch):
        return _verdict(compare_categorical(reference, window, spans), limits)
    raise TypeError("the reference is not of the window's kind")


def _verdict(compared: Comparison, limits: Thresholds) -> ColumnVerdict:
    psi, expected = compared.psi, compared.psi_expected
    excess = psi - expected
    return ColumnVerdict(
        state="ok" if compared.tests else "untestable",
        material="severe" if excess > limits.severe else "warn" if excess > limits.warn else "none",
        n=compared.n,
        reference_n=compared.reference_n,
        excluded=compared.excluded,
        psi=psi,
        psi_expected=expected,
        psi_excess=excess,
        jensen_shannon=compared.jensen_shannon,
        kolmogorov_smirnov=compared.kolmogorov_smirnov,
        wasserstein=compared.wasserstein,
        chi_squared=compared.chi_squared,
        null_rate_change=compared.null_rate_change,
        absent_rate_change=compared.absent_rate_change,
        p_value=compared.p_value,
        tests=compared.tests,
        dispersion=compared.greatest_dispersion,
        assumes_independent_rows=compared.dispersion.assumes_independent_rows,
        bins=compared.bins.labels,
        counts=tuple(compared.bins.window.tolist()),
        reference_counts=tuple(compared.bins.reference.tolist()),
    )


def adjust(verdicts: Sequence[ColumnVerdict], level: float = DEFAULT_LEVEL) -> list[ColumnVerdict]:
    """Adjust the p-values over every tested verdict given (all of one model version, window and reference), in the order given.

    A verdict is ``drifted`` where the adjusted p-value is at or below the level and the change is material.
    """
    tested = [i for i, verdict in enumerate(verdicts) if verdict.p_value is not None]
    adjusted = benjamini_hochberg([verdicts[i].p_value or 0.0 for i in tested])
    finished = list(verdicts)
    for i, p in zip(tested, adjusted.tolist(), strict=True):
        significant = p <= level
        drifted = significant and verdicts[i].material != "none"
        finished[i] = replace(
            verdicts[i], p_adjusted=p, significant=significant, state="drifted" if drifted else "ok"
        )
    return finished
