"""What windows are judged against: per slice and column a series of window sketches, made ready once to judge many windows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stream_processors.sketches import NumericSketch
from stream_processors.statistics.verdict import Reference, Sketch, reference_of

# The series of one column, by slice
ReadColumn = Callable[[str], Iterable[tuple[str, Sequence[Sketch]]]]


@dataclass
class ReferenceSeries:
    """One published reference, as a series of windows of the width that is judged.

    A column is read when it is asked for first; what judging needs of it is kept, and the series are not: they may be tens of thousands of sketches.

    Attributes:
        name: ``training``; LATER: ``previous``, ``seasonal``, ``version``.
        digest: under which it was published.
        events: effective size of each slice.
        columns: that it has sketches of.
        read: the series of a column, each window's sketch; events weigh as in all windows together.
    """

    name: str
    digest: str
    events: Mapping[str, int]
    columns: frozenset[str]
    read: ReadColumn
    _ready: dict[tuple[str, int | None], dict[str, Reference | None]] = field(default_factory=dict)

    def of(self, slice_name: str, column: str, precision: int | None = None) -> Reference | None:
        """The reference of one column of one slice, of numbers no finer than ``precision``; None where it has none."""
        if column not in self.columns:
            return None
        found = self._column(column, None).get(slice_name)
        if precision is not None and found is not None and found.finer_than(precision):
            found = self._column(column, precision).get(slice_name)
        return found

    def _column(self, column: str, precision: int | None) -> dict[str, Reference | None]:
        key = column, precision
        if key not in self._ready:
            self._ready[key] = {name: _settled(series, precision) for name, series in self.read(column)}
        return self._ready[key]


def _settled(series: Sequence[Sketch], precision: int | None) -> Reference | None:
    if precision is not None:
        series = [one.coarsen(precision) if isinstance(one, NumericSketch) else one for one in series]
    found = reference_of(series)
    return found and found.settled()
