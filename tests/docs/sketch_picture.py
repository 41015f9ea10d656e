"""The picture in docs/sketches.md, drawn by the histogram's own code: `python tests/docs/sketch_picture.py` writes it.

Above, the bins of a lognormal latency at 3 bits (few enough to see), as counts per unit of width, over the density of the data; below, how
far the midpoint that stands for each value is from it, as a share of the value, between the lines that bound it, plus and minus 2^-(p+1).
Nothing is drawn by chance: the data are the distribution's quantiles at evenly spaced shares.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist

import numpy as np

from stream_processors.sketches import NumericSketch, bin_upper_edge, histogram_bins, midpoint, sketch_of
from stream_processors.sketches.bins import Floats

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "histogram.svg"

PRECISION = 3
VALUES = 4_000
MEDIAN_MS, SIGMA = 30.0, 0.6
LEAST, MOST = 4.0, 128.0

WIDTH, LEFT, RIGHT = 800, 70, 20
TOP, UPPER, GAP, LOWER = 46, 210, 60, 110
_INK, _BAR, _EDGE, _LINE, _ERROR = "#444", "#9ecae1", "#3182bd", "#de6f21", "#31a354"


def latencies() -> Floats:
    """Latencies in ms: the lognormal's quantiles at evenly spaced shares."""
    normal = NormalDist()
    shares = ((number + 0.5) / VALUES for number in range(VALUES))
    return np.array([MEDIAN_MS * math.exp(SIGMA * normal.inv_cdf(share)) for share in shares])


def density(x: float) -> float:
    """The lognormal's density per ms."""
    z = math.log(x / MEDIAN_MS) / SIGMA
    return math.exp(-z * z / 2) / (x * SIGMA * math.sqrt(2 * math.pi))


def across(x: float) -> float:
    """Where a latency is drawn: logarithmic, so that octaves are of one width."""
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(x / LEAST) / math.log(MOST / LEAST)


def picture() -> str:
    """The whole SVG."""
    values = latencies()
    sketch = sketch_of(values, PRECISION)
    assert isinstance(sketch, NumericSketch)
    height = TOP + UPPER + GAP + LOWER + 40
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" fill="{_INK}">',
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
            *_histogram(sketch),
            *_errors(),
            "</svg>",
            "",
        ]
    )


def _histogram(sketch: NumericSketch) -> Iterable[str]:
    tallest = density(MEDIAN_MS * math.exp(-(SIGMA**2))) * 1.12
    floor = TOP + UPPER
    yield _text(
        LEFT,
        18,
        f"{sketch.finite:,} latencies in {sketch.bins.size} bins at p = {PRECISION}: eight bins to each octave",
        14,
    )
    yield _text(
        LEFT,
        36,
        "bars: share of the values per ms; line: the density they come from; a bar's name is its left edge, such as 30 or 32",
    )
    uppers = bin_upper_edge(sketch.bins, sketch.precision)
    for low, high, count in zip(sketch.bins.tolist(), uppers.tolist(), sketch.counts.tolist(), strict=True):
        if low >= LEAST and high <= MOST:
            tall = UPPER * count / sketch.finite / (high - low) / tallest
            yield _bar(across(low), floor - tall, across(high) - across(low), tall)
    points = [LEAST * (MOST / LEAST) ** (step / 120) for step in range(121)]
    yield _path(((across(x), floor - UPPER * density(x) / tallest) for x in points), _LINE, 2)
    yield from _axis(floor)


def _errors() -> Iterable[str]:
    top = TOP + UPPER + GAP
    middle, bound = top + LOWER / 2, 2.0 ** -(PRECISION + 1)
    scale = LOWER / 2 / (bound * 1.25)
    yield _text(
        LEFT,
        top - 14,
        f"error of the midpoint that stands for each value, at most 2^-(p+1) = {bound:.2%} of it",
    )
    for side in (-1, 0, 1):
        y = middle + side * bound * scale
        dashes = "" if side == 0 else ' stroke-dasharray="4 3"'
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_at(y)}" y2="{_at(y)}" stroke="{_INK}" stroke-width="0.7"{dashes}/>'
        yield _text(LEFT - 6, y + 4, f"{-side * bound:+.2%}" if side else "0", anchor="end")
    x = LEAST * (MOST / LEAST) ** (np.arange(1200) / 1200)
    bins = histogram_bins(x, PRECISION)
    off = midpoint(bins, PRECISION) / x - 1
    breaks = [0, *(np.flatnonzero(np.diff(bins)) + 1).tolist(), x.size]
    for start, end in pairwise(breaks):
        shown = zip(x[start:end].tolist(), off[start:end].tolist(), strict=True)
        yield _path(((across(value), middle - error * scale) for value, error in shown), _ERROR, 1.4)
    yield from _axis(top + LOWER)


def _axis(floor: float) -> Iterable[str]:
    yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}" stroke="{_INK}"/>'
    for octave in range(int(math.log2(LEAST)), int(math.log2(MOST)) + 1):
        x = across(2.0**octave)
        yield f'<line x1="{_at(x)}" x2="{_at(x)}" y1="{floor}" y2="{floor + 5}" stroke="{_INK}"/>'
        yield _text(x, floor + 18, f"{2**octave} ms", anchor="middle")


def _at(place: float) -> str:
    """To a tenth; rounded finer first, since processors differ in the last bit, and that must not turn a tenth."""
    return f"{round(place, 6):.1f}"


def _text(x: float, y: float, words: str, size: int = 12, anchor: str = "start") -> str:
    return f'<text x="{_at(x)}" y="{_at(y)}" font-size="{size}" text-anchor="{anchor}">{words}</text>'


def _bar(x: float, y: float, wide: float, tall: float) -> str:
    return f'<rect x="{_at(x)}" y="{_at(y)}" width="{_at(wide)}" height="{_at(tall)}" fill="{_BAR}" stroke="{_EDGE}" stroke-width="0.8"/>'


def _path(points: Iterable[tuple[float, float]], colour: str, wide: float) -> str:
    places = " ".join(f"{_at(x)},{_at(y)}" for x, y in points)
    return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="{wide}"/>'


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(), encoding="utf-8")
