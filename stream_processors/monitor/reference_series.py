"""What windows are judged against: a series of window sketches per slice and column, made ready once to judge many windows. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream_processors.statistics.verdict import Reference, Sketch, reference_of


@dataclass
class ReferenceSeries:
    """One published reference, as a series of windows of the width that is judged.

    Attributes:
        name: ``training``; LATER: ``previous``, ``seasonal``, ``version``.
        digest: under which it was published.
        series: per slice and column, each window's sketch; events weigh as in all windows together.
        events: effective size of each slice.
    """

    name: str
    digest: str
    series: dict[tuple[str, str], list[Sketch]] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    _ready: dict[tuple[str, str], Reference | None] = field(default_factory=dict)

    def of(self, slice_name: str, column: str) -> Reference | None:
        """The reference of one column of one slice, made ready at first use; None where it has none."""
        key = slice_name, column
        if key not in self._ready:
            self._ready[key] = reference_of(self.series.get(key, []))
        return self._ready[key]

    def columns(self) -> set[str]:
        """Columns that it has sketches of."""
        return {column for _, column in self.series}
