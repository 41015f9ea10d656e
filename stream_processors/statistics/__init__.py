"""Statistics on histograms: one statistic a file, with formula, source and an example. Pure: no broker, no database, no clock.

Judging a window: ``reference_of(series)`` once, ``judge_column`` per column and slice, then ``adjust`` over all verdicts of the window and reference.
"""

from stream_processors.statistics.verdict import (
    DEFAULT_LEVEL,
    ColumnVerdict,
    Material,
    Reference,
    Sketch,
    State,
    Thresholds,
    adjust,
    judge_column,
    reference_of,
)

__all__ = [
    "DEFAULT_LEVEL",
    "ColumnVerdict",
    "Material",
    "Reference",
    "Sketch",
    "State",
    "Thresholds",
    "adjust",
    "judge_column",
    "reference_of",
]
