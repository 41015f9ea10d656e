"""Drift of whole months, made from the streamed histograms of their base windows: counts add up, so no row is read again."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from producers.errors import ConfigError
from stream_processors.clickhouse import Store
from stream_processors.contracts.model import Contract
from stream_processors.monitor.record_reference import training_reference
from stream_processors.monitor.reference_series import ReferenceSeries
from stream_processors.monitor.sketch_rows import RULE, SUMS, sketch_reader
from stream_processors.monitor.weighing import estimated
from stream_processors.sketches import NumericSketch
from stream_processors.sketches.column_names import column_name
from stream_processors.statistics import Sketch, Thresholds, adjust, judge_column
from stream_processors.windows import DAY, Width

_MONTHS = f"""
SELECT column, formatDateTime(window_start, '%Y-%m') AS month, sampling_rate, {RULE}, {SUMS}
FROM sketches FINAL
WHERE kind = 'delta' AND model = {{model:String}} AND environment = {{environment:String}} AND served AND slice = ''
    AND column_kind != 'events'
GROUP BY column, month, sampling_rate, {RULE}
ORDER BY column, month, {RULE}, sampling_rate
"""
_EVENTS = """
SELECT formatDateTime(window_start, '%Y-%m') AS month, sampling_rate, sum(events) AS events, groupUniqArray(toDate(window_start, 'UTC')) AS days
FROM sketches FINAL
WHERE kind = 'delta' AND model = {model:String} AND environment = {environment:String} AND served AND slice = ''
    AND column = '@events'
GROUP BY month, sampling_rate
"""


@dataclass(frozen=True)
class MonthDrift:
    """One feature in one month (``YYYY-MM``, UTC) against the training reference, over served traffic of all versions.

    Attributes:
        n: how many events of one sampling rate tell as much.
        psi_excess: PSI beyond what chance alone gives; None where nothing could be compared.
        state: as in drift.v1, adjusted over all features and months asked for together.
    """

    month: str
    feature: str
    n: int
    psi_excess: float | None
    state: str


def drift_by_month(store: Store, model: str, environment: str = "production") -> list[MonthDrift]:
    """Every feature of the newest contract that the reference holds, in every month with events.

    Raises:
        ConfigError: the model has no contract or no training reference on record.
    """
    contract, reference = _reference(store, model)
    parameters = {"model": model, "environment": environment}
    events: dict[str, Counter[float]] = defaultdict(Counter)
    days: dict[str, set[Any]] = defaultdict(set)
    for row in store.rows(_EVENTS, parameters):
        events[row["month"]][row["sampling_rate"]] += row["events"]
        days[row["month"]] |= set(row["days"])
    table = store.arrow(_MONTHS, parameters)
    sketch_of = sketch_reader(table)
    parts: dict[tuple[str, str], list[tuple[float, Sketch]]] = {}
    features = {column_name(name): feature for name, feature in contract.features.items()}
    for number, row in enumerate(table.select(["column", "month", "sampling_rate"]).to_pylist()):
        feature = features.get(row["column"])
        if feature is not None and not feature.hidden:
            sketch = row["sampling_rate"], sketch_of(number)
            parts.setdefault((row["column"], row["month"]), []).append(sketch)
    limits = Thresholds(contract.drift.warn, contract.drift.severe, contract.drift.minimum_sample)
    verdicts = []
    for (column, month), sketches in parts.items():
        whole = estimated(sketches, events[month])
        known = reference.of("", column, whole.precision if isinstance(whole, NumericSketch) else None)
        verdicts.append(judge_column(known, whole, limits, spans=float(len(days[month]))))
    return [
        MonthDrift(month, column, verdict.n, verdict.psi_excess, verdict.state)
        for (column, month), verdict in zip(parts, adjust(verdicts, contract.drift.level), strict=True)
    ]


def _reference(store: Store, model: str) -> tuple[Contract, ReferenceSeries]:
    rows: list[dict[str, Any]] = store.rows(
        "SELECT body FROM contracts FINAL WHERE model = {model:String} ORDER BY in_effect_from DESC, _offset DESC LIMIT 1",
        {"model": model},
    )
    if not rows:
        raise ConfigError(f"no contract of {model} is on record")
    contract = Contract.model_validate(json.loads(rows[0]["body"]))
    digest = contract.references.get("training")
    found = training_reference(store, model, digest, Width(DAY)) if digest else None
    if found is None:
        raise ConfigError(f"no training reference of {model} is on record")
    return contract, found
