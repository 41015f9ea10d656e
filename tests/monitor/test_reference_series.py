"""References as they are kept: read by the column, made ready, and their windows given up."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from stream_processors.monitor.reference_series import ReferenceSeries
from stream_processors.sketches import CategoricalSketch, NumericSketch
from stream_processors.statistics import Sketch, judge_column, reference_of
from stream_processors.statistics.numeric_reference import NumericReference

RNG = np.random.default_rng(11)
NUMBERS = [RNG.normal(100 + shift, 20, 300) for shift in RNG.normal(0, 5, 30)]
WORDS = [RNG.choice(["a", "b", "c"], 300, p=[0.5, 0.5 - rare, rare]) for rare in RNG.uniform(0, 0.2, 30)]


def _numbers() -> list[Sketch]:
    return [NumericSketch.of(values, 7) for values in NUMBERS]


def _words() -> list[Sketch]:
    return [CategoricalSketch.of(values.tolist()) for values in WORDS]


def _series(read: list[str]) -> ReferenceSeries:
    def column(name: str) -> list[tuple[str, list[Sketch]]]:
        read.append(name)
        return [("", _numbers() if name == "number" else _words())]

    return ReferenceSeries("training", "abc", {"": 9000}, frozenset({"number", "word"}), column)


def test_a_column_is_read_once_and_only_when_it_is_judged() -> None:
    """What it never had is not asked for at all."""
    read: list[str] = []
    reference = _series(read)
    assert reference.of("", "nosuch") is None
    for _ in range(3):
        assert reference.of("", "number") is not None
        assert reference.of("plan=basic", "number") is None
    assert read == ["number"]


def test_verdicts_are_those_of_the_whole_series() -> None:
    """Also of a window of a coarser precision, for which a column is read again."""
    reference = _series([])
    number, word = (
        NumericSketch.of(RNG.normal(110, 25, 500), 7),
        CategoricalSketch.of(["a"] * 300 + ["d"] * 90),
    )
    assert judge_column(reference.of("", "word"), word) == judge_column(_words(), word)
    for window in (number, number.coarsen(3), number.coarsen(5), number):
        known = reference.of("", "number", window.precision)
        assert judge_column(known, window) == judge_column(_numbers(), window)


def test_the_windows_are_given_up() -> None:
    """They may be tens of thousands, of hundreds of columns."""
    held: list[weakref.ref[Sketch]] = []

    def column(name: str) -> list[tuple[str, list[Sketch]]]:
        series = _numbers() if name == "number" else _words()
        held.extend(
            weakref.ref(one.counts.base if one.counts.base is not None else one.counts) for one in series
        )
        return [("", series)]

    reference = ReferenceSeries("training", "abc", {"": 9000}, frozenset({"number", "word"}), column)
    for name in sorted(reference.columns):
        known = reference.of("", name)
        assert known is not None
        assert not known.series
        assert known.n == 9000
    gc.collect()
    assert len(held) == 60
    assert not any(one() is not None for one in held)


def test_what_was_given_up_is_not_guessed() -> None:
    """A reference without its windows does not judge a coarser one."""
    known = reference_of(_numbers())
    assert isinstance(known, NumericReference)
    with pytest.raises(ValueError, match="without its windows"):
        judge_column(known.settled(), NumericSketch.of(RNG.normal(100, 20, 500), 5))
