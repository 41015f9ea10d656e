"""Statistics on histograms: one statistic a file, with formula, source and an example. Pure: no broker, no database, no clock."""

from stream_processors.statistics.verdict import (
    DEFAULT_LEVEL,
    ColumnVerdict,
    Material,
    State,
    Thresholds,
    adjust,
    judge_column,
)

__all__ = ["DEFAULT_LEVEL", "ColumnVerdict", "Material", "State", "Thresholds", "adjust", "judge_column"]
