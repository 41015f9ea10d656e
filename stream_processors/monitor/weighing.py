"""One sketch of events that were kept at several sampling rates: an estimate of the whole. Pure.

Its counts are whole, as tests and readers of verdicts want them: they are rounded such that the bins up to any one hold what they should within half an event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from stream_processors.monitor.sketch_rows import merged
from stream_processors.sketches import NumericSketch
from stream_processors.sketches.bins import Ints
from stream_processors.statistics.effective_size import Weights
from stream_processors.statistics.verdict import Sketch

# Counts are multiplied by whole weights, so that sketches add exactly: this many parts are an event
_PARTS = 1 << 24


def estimated(
    parts: Sequence[tuple[float, Sketch]], events: Mapping[float, int], weights: Weights | None = None
) -> Sketch:
    """Sketches of one key, each of events of one sampling rate, as one sketch of the whole; of one rate it is what they add up to.

    Args:
        parts: at least one, by rate; in order, as for `merged`.
        events: that the sketches account for, by rate.
        weights: what the events of each rate count as; without, as many together as `events` tell.
    """
    weights = weights or Weights.of(events)
    factors = {rate: round(weights.at(rate) * _PARTS) for rate in {*events, *(rate for rate, _ in parts)}}
    if all(factor == _PARTS for factor in factors.values()):
        return merged([sketch for _, sketch in parts], sum(events.values()))
    scaled = [_times(sketch, factors[rate]) for rate, sketch in parts]
    return _rounded(merged(scaled, sum(factors[rate] * count for rate, count in events.items())))


def _times(sketch: Sketch, factor: int) -> Sketch:
    """Each event as so many parts; sums stay those of events."""
    if isinstance(sketch, NumericSketch):
        return replace(
            sketch,
            counts=sketch.counts * factor,
            nulls=sketch.nulls * factor,
            nans=sketch.nans * factor,
            plus_inf=sketch.plus_inf * factor,
            minus_inf=sketch.minus_inf * factor,
            absent=sketch.absent * factor,
            sum=sketch.sum * (factor / _PARTS),
            sum_of_squares=sketch.sum_of_squares * (factor / _PARTS),
        )
    return replace(
        sketch,
        counts=sketch.counts * factor,
        buckets=sketch.buckets * factor,
        nulls=sketch.nulls * factor,
        absent=sketch.absent * factor,
    )


def _rounded(sketch: Sketch) -> Sketch:
    """Parts as whole events; bins left empty go, categories stay; means stay as they are."""
    if isinstance(sketch, NumericSketch):
        others = (sketch.nulls, sketch.nans, sketch.plus_inf, sketch.minus_inf, sketch.absent)
        whole = _events(np.concatenate((sketch.counts, others)))
        counts, (nulls, nans, plus_inf, minus_inf, absent) = (
            whole[: -len(others)],
            whole[-len(others) :].tolist(),
        )
        kept, finite = counts > 0, int(counts.sum())
        share = finite * _PARTS / max(1, sketch.finite)
        return replace(
            sketch,
            bins=sketch.bins[kept],
            counts=counts[kept],
            nulls=nulls,
            nans=nans,
            plus_inf=plus_inf,
            minus_inf=minus_inf,
            absent=absent,
            sum=sketch.sum * share if finite else 0.0,
            sum_of_squares=sketch.sum_of_squares * share if finite else 0.0,
            minimum=sketch.minimum if finite else None,
            maximum=sketch.maximum if finite else None,
        )
    whole = _events(np.concatenate((sketch.counts, sketch.buckets, (sketch.nulls, sketch.absent))))
    names = sketch.counts.size
    nulls, absent = whole[-2:].tolist()
    return replace(sketch, counts=whole[:names], buckets=whole[names:-2], nulls=nulls, absent=absent)


def _events(parts: Ints) -> Ints:
    """Whole events of each cell: the differences of the rounded running sum, so that what a cell rounds away its neighbours hold."""
    ends: Ints = (np.cumsum(parts) + _PARTS // 2) // _PARTS
    return np.diff(ends, prepend=0)
