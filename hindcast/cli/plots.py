"""An answer as a picture: lines or bars in the terminal, or a file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa

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
        lines: per line its name and its points in the order of x; x are numbers, moments or words.
    """

    x: str
    y: str
    by: str
    lines: Mapping[str, Sequence[tuple[Any, float]]]

    @property
    def of_words(self) -> bool:
        """Whether x are words, which are drawn as bars."""
        return any(isinstance(x, str) for points in self.lines.values() for x, _ in points)


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
    lines: dict[str, list[tuple[Any, float]]] = {}
    columns = [answer.column(name).to_pylist() for name in (x, y)]
    names = answer.column(by).to_pylist() if by else [""] * answer.num_rows
    for at, value, name in zip(*columns, names, strict=True):
        if value is None or at is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{y} cannot be plotted: it is no number")
        if math.isfinite(value):
            lines.setdefault(_word(name), []).append((_place(at), float(value)))
    if not lines:
        raise ConfigError("nothing to plot: no row has both numbers")
    if len(lines) > MOST_LINES:
        raise ConfigError(
            f"{len(lines)} lines of {by} cannot be told apart: narrow the question to at most {MOST_LINES}"
        )
    return Picture(x, y, by, lines)


def _place(at: Any) -> Any:
    if isinstance(at, datetime):
        return at
    if isinstance(at, date):
        return datetime(at.year, at.month, at.day, tzinfo=UTC)
    return float(at) if isinstance(at, int | float) and not isinstance(at, bool) else _word(at)


def _word(value: Any) -> str:
    return one_line(value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value))


def draw(drawn: Picture, out: TextIO, *, width: int) -> None:
    """Draw for a terminal of so many columns, without colours where ``out`` is none."""
    if drawn.of_words:
        _bars(drawn, out, width=width)
        return
    import plotille  # of the extra plot

    figure = plotille.Figure()
    figure.width, figure.height = max(20, min(width - 30, 100)), 18
    figure.x_label, figure.y_label = drawn.x, drawn.y
    figure.with_colors = out.isatty()
    if all(isinstance(x, datetime) for points in drawn.lines.values() for x, _ in points):
        # the axis is labelled in the local time of a machine otherwise
        figure.register_label_formatter(datetime, lambda at, **_: at.strftime("%y-%m-%d"))
    for mark, (name, points) in zip(_MARKS, drawn.lines.items(), strict=False):
        figure.plot(
            [x.replace(tzinfo=None) if isinstance(x, datetime) else x for x, _ in points],
            [y for _, y in points],
            label=name or drawn.y,
            # colours tell lines apart where there are any
            marker=None if out.isatty() or len(drawn.lines) == 1 else mark,
        )
    out.write(figure.show(legend=len(drawn.lines) > 1) + "\n")


def _bars(drawn: Picture, out: TextIO, *, width: int) -> None:
    rows = [(f"{name} {x}".strip(), y) for name, points in drawn.lines.items() for x, y in points]
    head = max(len(label) for label, _ in rows)
    greatest = max(abs(y) for _, y in rows) or 1.0
    room = max(10, min(width - head - 12, _BAR))
    out.write(f"{drawn.y} by {drawn.x}\n")
    out.writelines(
        f"{label.ljust(head)}  {'█' * round(abs(y) / greatest * room)} {y:.4g}\n" for label, y in rows
    )


def draw_file(drawn: Picture, path: Path) -> None:
    """Write a picture; what it is made as (one of `SUFFIXES`) the file's name says."""
    import matplotlib as mpl  # of the extra plot

    mpl.use("agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    for name, points in drawn.lines.items():
        x, y = [x for x, _ in points], [y for _, y in points]
        if drawn.of_words:
            axes.bar([f"{name} {each}".strip() for each in x], y)
        else:
            axes.plot(x, y, marker="o", markersize=3, label=name or drawn.y)
    axes.set_xlabel(drawn.x)
    axes.set_ylabel(drawn.y)
    if drawn.of_words or isinstance(next(iter(drawn.lines.values()))[0][0], datetime):
        axes.tick_params(axis="x", labelrotation=45)
    if len(drawn.lines) > 1 and not drawn.of_words:
        axes.legend(title=drawn.by)
    figure.savefig(path, dpi=120, format=path.suffix[1:])
