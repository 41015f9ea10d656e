"""From the facts on a window to its verdicts: one per judged column and slice, and one on the model as a whole. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stream_processors.contracts.effect import PublishedContract
from stream_processors.contracts.model import Contract, Feature
from stream_processors.monitor.reference_series import ReferenceSeries
from stream_processors.monitor.window_facts import SliceSketches, WindowFacts
from stream_processors.sketches import REST, WHOLE, CategoricalSketch, NumericSketch, slice_name
from stream_processors.sketches.column_names import column_name
from stream_processors.statistics.verdict import (
    ColumnVerdict,
    Sketch,
    Thresholds,
    adjust,
    judge_column,
)

# Judged like features wherever a reference has them; without one, the whole's verdict says so.
PREDICTION_COLUMNS = ("@score", "@decision")
LATENCY = "@latency_ms"


@dataclass(frozen=True, slots=True)
class JudgedColumn:
    """The verdict on one column of one slice."""

    column: str
    slice: str
    verdict: ColumnVerdict


@dataclass(frozen=True, slots=True)
class Judgement:
    """All verdicts on one window: ``columns`` share one adjustment for how many were tested."""

    facts: WindowFacts
    contract: PublishedContract | None
    reference: ReferenceSeries | None
    columns: tuple[JudgedColumn, ...]


def drift_columns(contract: Contract | None) -> list[str]:
    """The columns that a contract has judged, and the prediction's own."""
    features = contract.features if contract else {}
    judged = [
        column_name(name)
        for name, feature in features.items()
        if feature.drift.enabled and not feature.hidden
    ]
    return [*judged, *PREDICTION_COLUMNS, LATENCY]


def judged_slices(contract: Contract) -> set[str]:
    """Names of the slices that a contract asks for, the whole among them."""
    names = {WHOLE}
    for slicing in contract.slices:
        names |= {slice_name(zip(slicing.by, row, strict=True)) for row in slicing.values}
        names.add(slice_name((name, REST) for name in slicing.by))
    return names


def judge(
    facts: WindowFacts, contract: PublishedContract | None, reference: ReferenceSeries | None
) -> Judgement:
    """Judge a window against a reference; without one there is nothing to compare columns with."""
    if contract is None or reference is None:
        return Judgement(facts, contract, None, ())
    found = list(_compared(facts, contract.contract, reference))
    finished = adjust([one.verdict for one in found], contract.contract.drift.level)
    columns = tuple(
        JudgedColumn(one.column, one.slice, verdict) for one, verdict in zip(found, finished, strict=True)
    )
    return Judgement(facts, contract, reference, columns)


def in_smaller_windows(counted: SliceSketches, contract: Contract) -> bool:
    """Whether each smaller window of a slice has enough events to be judged by itself, so that this one is not."""
    return counted.least_part is not None and counted.least_part >= contract.drift.minimum_sample


def _compared(facts: WindowFacts, contract: Contract, reference: ReferenceSeries) -> Iterator[JudgedColumn]:
    for name, counted in sorted(facts.slices.items()):
        if in_smaller_windows(counted, contract):
            continue
        for feature_name, feature in contract.features.items():
            if feature.drift.enabled and not feature.hidden:
                column, limits = column_name(feature_name), _thresholds(contract, feature)
                yield _judged(counted, reference, name, column, _empty(feature), limits)
        yield from _prediction(name, counted, contract, reference)


def _empty(feature: Feature) -> Sketch:
    if feature.kind == "numeric":
        return NumericSketch.empty(feature.precision)
    return CategoricalSketch.empty(feature.values)


def _prediction(
    name: str, counted: SliceSketches, contract: Contract, reference: ReferenceSeries
) -> Iterator[JudgedColumn]:
    limits = _thresholds(contract, None)
    for column in PREDICTION_COLUMNS:
        if known := reference.of(name, column):
            empty: Sketch = CategoricalSketch.empty()
            if isinstance(known.sketch, NumericSketch):
                empty = NumericSketch.empty(known.sketch.precision)
            yield _judged(counted, reference, name, column, empty, limits)
        elif name == WHOLE and column in counted.columns:
            yield JudgedColumn(column, name, judge_column(None, counted.columns[column], limits))


def _judged(
    counted: SliceSketches,
    reference: ReferenceSeries,
    name: str,
    column: str,
    empty: Sketch,
    limits: Thresholds,
) -> JudgedColumn:
    """The verdict on a column of a slice in the kind of ``empty``; all absent where no event carried it so."""
    known = reference.of(name, column)
    if known is not None and counted.n < limits.minimum_sample:
        # most slices are small: said without their sketches, which may not even have been built
        verdict = ColumnVerdict("insufficient", "none", n=counted.n, reference_n=known.n)
        return JudgedColumn(column, name, verdict)
    found = counted.columns.get(column)
    window = found if isinstance(found, type(empty)) else empty.of_events(counted.n)
    if isinstance(window, NumericSketch):
        known = reference.of(name, column, window.precision)
    return JudgedColumn(column, name, judge_column(known, window, limits))


def _thresholds(contract: Contract, feature: Feature | None) -> Thresholds:
    own = feature.drift if feature else None
    warn = (own and own.warn) or contract.drift.warn
    return Thresholds(
        warn=warn,
        # a contract that was published before this was refused says nothing milder by severe than by warn
        severe=max(warn, (own and own.severe) or contract.drift.severe),
        minimum_sample=contract.drift.minimum_sample,
    )
