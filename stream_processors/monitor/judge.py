"""From the facts on a window to its verdicts: one per judged column and slice, and one on the model as a whole. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stream_processors.contracts.effect import PublishedContract
from stream_processors.contracts.model import Contract, Feature
from stream_processors.monitor.record_reference import ReferenceSeries
from stream_processors.monitor.window_facts import SliceSketches, WindowFacts
from stream_processors.sketches import WHOLE, CategoricalSketch, NumericSketch
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
    judged = [name for name, feature in features.items() if feature.drift.enabled]
    return [*judged, *PREDICTION_COLUMNS, LATENCY]


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


def _compared(facts: WindowFacts, contract: Contract, reference: ReferenceSeries) -> Iterator[JudgedColumn]:
    least = contract.drift.minimum_sample
    for name, counted in sorted(facts.slices.items()):
        if counted.least_part is not None and counted.least_part >= least:
            continue  # judged in its smaller windows
        for column, feature in contract.features.items():
            if feature.drift.enabled:
                window = _sketch(counted, column, feature)
                verdict = judge_column(reference.of(name, column), window, _thresholds(contract, feature))
                yield JudgedColumn(column, name, verdict)
        yield from _prediction(name, counted, contract, reference)


def _prediction(
    name: str, counted: SliceSketches, contract: Contract, reference: ReferenceSeries
) -> Iterator[JudgedColumn]:
    for column in PREDICTION_COLUMNS:
        window, known = counted.columns.get(column), reference.of(name, column)
        if window is not None and (known is not None or name == WHOLE):
            yield JudgedColumn(column, name, judge_column(known, window, _thresholds(contract, None)))


def _sketch(counted: SliceSketches, column: str, feature: Feature) -> Sketch:
    """The window's sketch of a feature in the kind that the contract gives it; all absent where no event carried it so."""
    kind = NumericSketch if feature.kind == "numeric" else CategoricalSketch
    found = counted.columns.get(column)
    if isinstance(found, kind):
        return found
    if feature.kind == "numeric":
        return NumericSketch.empty(feature.precision).of_events(counted.events)
    return CategoricalSketch.empty(feature.values).of_events(counted.events)


def _thresholds(contract: Contract, feature: Feature | None) -> Thresholds:
    own = feature.drift if feature else None
    return Thresholds(
        warn=(own and own.warn) or contract.drift.warn,
        severe=(own and own.severe) or contract.drift.severe,
        minimum_sample=contract.drift.minimum_sample,
    )
