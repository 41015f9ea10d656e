"""An answer as a picture: lines or bars in the terminal, or a file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
from rich.console import Console

from hindcast.one_line import one_line
from producers.errors import ConfigError

SUFFIXES = (".png", ".svg", ".pdf")
MOST_LINES = 12
_BAR = 50
_MARKS = "ox+*#@%&abcd"


@dataclass(frozen=True)
class Picture:
    """Points to draw.

    Attributes:
        points: line's name, x and y, in the order of rows; x are numbers, moments or words.
    """

    x: str
    y: str
    by: str
    points: Sequence[tuple[str, Any, float]]

    @property
    def lines(self) -> Mapping[str, Sequence[tuple[Any, float]]]:
        """Per line its name and its points."""
        lines: dict[str, list[tuple[Any, float]]] = {}
        for name, x, y in self.points:
            lines.setdefault(name, []).append((x, y))
        return lines

    @property
    def of_words(self) -> bool:
        """Whether x are words, which are drawn as bars."""
        return any(isinstance(x, str) for _, x, _ in self.points)

    @property
    def bars(self) -> Sequence[tuple[str, float]]:
        """One a row, with its label; labels may be equal."""
        return [(f"{name} {x}".strip(), y) for name, x, y in self.points]


def picture(answer: pa.Table, chosen: Mapping[str, str]) -> Picture:
    """What ``chosen`` says is x, y and (may be left out) by; points without a number are left out.

    Raises:
        ConfigError: no such column or several, a y that is no number, nothing to draw, or more lines than anybody can tell apart.
    """
    x, y, by = (chosen.get(name, "") for name in ("x", "y", "by"))
    for name in filter(None, (x, y, by)):
        if name not in answer.column_names:
            raise ConfigError(f"no column {name} to plot: there are {', '.join(answer.column_names)}")
        if answer.column_names.count(name) > 1:
            raise ConfigError(f"several columns are named {name}: name them apart with AS")
    if not x or not y:
        raise ConfigError(f"say what to plot: --axes x=COLUMN,y=COLUMN of {', '.join(answer.column_names)}")
    points: list[tuple[str, Any, float]] = []
    columns = [answer.column(name).to_pylist() for name in (x, y)]
    names = answer.column(by).to_pylist() if by else [""] * answer.num_rows
    for at, value, name in zip(*columns, names, strict=True):
        if value is None or at is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{y} cannot be plotted: it is no number")
        if math.isfinite(value):
            points.append((_word(name), _place(at), float(value)))
    if not answer.num_rows:
        raise ConfigError("nothing to plot: the answer has no rows")
    if not points:
        raise ConfigError(
            f"nothing to plot: no row has both {x} and {y}; --axes x=COLUMN,y=COLUMN takes others of {', '.join(answer.column_names)}"
        )
    drawn = Picture(x, y, by, points)
    if len(drawn.lines) > MOST_LINES and not drawn.of_words:
        raise ConfigError(
            f"{len(drawn.lines)} lines of {by} cannot be told apart: narrow the question to at most {MOST_LINES}"
        )
    return drawn


def _place(at: Any) -> Any:
    if isinstance(at, datetime):
        return at
    if isinstance(at, date):
        return datetime(at.year, at.month, at.day, tzinfo=UTC)
    return float(at) if isinstance(at, int | float) and not isinstance(at, bool) else _word(at)


def _word(value: Any) -> str:
    return one_line(value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value))


def draw(drawn: Picture, out: TextIO, *, width: int) -> None:
    """Draw for a terminal of so many columns; with marks instead of colours where ``out`` is none, knows none, or NO_COLOR asks for that."""
    if drawn.of_words:
        _bars(drawn, out, width=width)
        return
    import plotille  # of the extra plot

    figure = plotille.Figure()
    figure.width, figure.height = max(20, min(width - 30, 100)), 18
    figure.x_label, figure.y_label = drawn.x, drawn.y
    console = Console(file=out)
    coloured = console.color_system is not None and not console.no_color
    figure.with_colors = coloured
    if all(isinstance(x, datetime) for points in drawn.lines.values() for x, _ in points):
        # the axis is labelled in the local time of a machine otherwise
        figure.register_label_formatter(datetime, lambda at, **_: at.strftime("%y-%m-%d"))
    for mark, (name, points) in zip(_MARKS, drawn.lines.items(), strict=False):
        figure.plot(
            [x.replace(tzinfo=None) if isinstance(x, datetime) else x for x, _ in points],
            [y for _, y in points],
            label=name or drawn.y,
            # colours tell lines apart where there are any
            marker=None if coloured or len(drawn.lines) == 1 else mark,
        )
    out.write(figure.show(legend=len(drawn.lines) > 1) + "\n")


def _bars(drawn: Picture, out: TextIO, *, width: int) -> None:
    """One bar a row, below 0 to the left of a line where any is."""
    head = max(len(label) for label, _ in drawn.bars)
    greatest = max(abs(y) for _, y in drawn.bars) or 1.0
    shares = [y / greatest for _, y in drawn.bars]
    below = -min(0.0, *shares)
    unit = max(10, min(width - head - 12, _BAR)) / (below + max(0.0, *shares) or 1.0)
    left = round(below * unit)
    out.write(f"{drawn.y} by {drawn.x}\n")
    for (label, y), share in zip(drawn.bars, shares, strict=True):
        bar = "█" * round(abs(share) * unit)
        sides = f"{bar.rjust(left)}│" if y < 0 else f"{' ' * left}│{bar}"
        out.write(f"{label.ljust(head)}  {sides if left else bar} {y:.4g}\n")


def draw_file(drawn: Picture, path: Path) -> None:
    """Write a picture; what it is made as (one of `SUFFIXES`) the file's name says."""
    import matplotlib as mpl  # of the extra plot

    mpl.use("agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    if drawn.of_words:
        # by their places, since matplotlib would draw bars of one label upon one another
        axes.bar(range(len(drawn.bars)), [y for _, y in drawn.bars])
        axes.set_xticks(range(len(drawn.bars)), [label for label, _ in drawn.bars], parse_math=False)
    else:
        for name, points in drawn.lines.items():
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name or drawn.y)
        if len(drawn.lines) > 1:
            axes.legend(title=drawn.by)
    axes.set_xlabel(drawn.x)
    axes.set_ylabel(drawn.y)
    if drawn.of_words or isinstance(drawn.points[0][1], datetime):
        axes.tick_params(axis="x", labelrotation=45)
    figure.savefig(path, dpi=120, format=path.suffix[1:])
