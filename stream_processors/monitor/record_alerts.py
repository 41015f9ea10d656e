"""Asks ClickHouse for what alerts are made of: the last complete verdict on each window, and what was said about alerts before.

A window's verdicts are those of its last revision: what only an earlier one judged (a week, before late events made its days large enough) no longer counts.
Of windows that overlap, those count that come first: a week is left out where a day of it was judged (``ok`` or ``drifted``), which would count twice.
A window that is constant like the reference counts as ``ok``.

A span begins after the last ``ok`` before the earliest window that changed: ``ok`` ends every run and every alert, so what lies before it cannot matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from stream_processors.clickhouse import Store
from stream_processors.contracts.model import Contract
from stream_processors.monitor.alert_life import (
    LEFT_OUT,
    AlertEvent,
    AlertIdentity,
    LastVerdict,
    RecordedAlert,
)
from stream_processors.monitor.drift_messages import MODEL
from stream_processors.monitor.judge import drift_columns, judged_slices
from stream_processors.monitor.judged_windows import reference_name

METRIC = "drift"

# Figures of a verdict that an alert carries as evidence
EVIDENCE = (
    "n", "reference_n", "psi", "psi_expected", "psi_excess", "jensen_shannon", "kolmogorov_smirnov", "wasserstein",
    "p_adjusted", "null_rate_change", "absent_rate_change",
)  # fmt: skip

_IDENTITY = "model_version, served, reference, column, slice"
_OF_MODEL = "model = {model:String} AND environment = {environment:String}"
# `window_place` of a window in microseconds
_PLACE = "(toUnixTimestamp64Micro(window_end), -toUnixTimestamp64Micro(window_start))"

# Constant on both sides and alike there is nothing to test, and no change: a column that was another constant for a while is as it was
_STATE = "if(state = 'untestable' AND ifNull(psi = 0, false), 'ok', toString(state))"


@dataclass
class AlertSpan:
    """One identity's verdicts after its last ``ok`` before the change, and the alerts that began there."""

    verdicts: list[LastVerdict] = field(default_factory=list)
    recorded: list[RecordedAlert] = field(default_factory=list)


def alert_spans(
    store: Store, model: str, environment: str, since: tuple[int, int], contracts: Mapping[str, Contract]
) -> dict[AlertIdentity, AlertSpan]:
    """Every identity of a model that ever drifted, with its span.

    Args:
        store: where the record is.
        model: the model's name.
        environment: where it runs.
        since: place of the earliest window whose verdict may have changed.
        contracts: all that windows were judged under, by digest.
    """
    parameters = {"model": model, "environment": environment, "since": since}
    spans: dict[AlertIdentity, AlertSpan] = {}
    begins: dict[AlertIdentity, tuple[int, int]] = {}
    for row in _rows(store.arrow(_VERDICTS, parameters)):
        identity = _identity(model, environment, row)
        begins[identity] = begin = row["span_end"], row["span_start"]
        verdict = _verdict(row, contracts)
        if verdict.place > begin:
            spans.setdefault(identity, AlertSpan()).verdicts.append(verdict)
    _take_left_out(spans, begins, _rows(store.arrow(_WINDOWS, parameters)), contracts)
    said: dict[AlertIdentity, dict[str, list[RecordedAlert]]] = {}
    for row in _rows(store.arrow(_SAID, parameters)):
        identity = _identity(model, environment, row)
        said.setdefault(identity, {}).setdefault(row["alert_id"], []).append(_recorded(row))
    for identity, alerts in said.items():
        for events in alerts.values():
            if events[0].event.verdict.place > begins.get(identity, (0, 0)):
                spans.setdefault(identity, AlertSpan()).recorded.extend(events)
    return spans


def _take_left_out(
    spans: dict[AlertIdentity, AlertSpan],
    begins: dict[AlertIdentity, tuple[int, int]],
    windows: Iterable[dict[str, Any]],
    contracts: Mapping[str, Contract],
) -> None:
    """Add to each span the windows after its beginning whose contract does not have the identity judged."""
    judged: dict[tuple[str, bool, str], list[LastVerdict]] = {}
    for row in windows if spans else ():
        digest = row["last_contract"]
        window = LastVerdict(row["start"], row["end"], row["last_revision"], LEFT_OUT, contract=digest)
        judged.setdefault((row["model_version"], row["served"], digest), []).append(window)
    for digest in {key[-1] for key in judged} & contracts.keys():
        contract = contracts[digest]
        reference, slices = reference_name(contract), judged_slices(contract)
        columns = set(drift_columns(contract))
        for one, span in spans.items():
            if one.reference != reference or one.column not in columns or one.slice not in slices:
                span.verdicts += [
                    window
                    for window in judged.get((one.model_version, one.served, digest), ())
                    if window.place > begins[one]
                ]


_VERDICTS = f"""
    WITH revised AS (
        SELECT model_version, served, window_start, window_end, max(revision)
        FROM drift
        WHERE {_OF_MODEL} AND complete AND column = '{MODEL}'
        GROUP BY model_version, served, window_start, window_end
    ), last AS (
        SELECT {_IDENTITY}, {_PLACE} AS place, max(revision) AS last_revision, argMax({_STATE}, revision) AS last_state,
               argMax(material, revision) AS last_material, argMax(contract, revision) AS last_contract,
               {", ".join(f"argMax(tuple(toNullable(toFloat64({name}))), revision).1 AS last_{name}" for name in EVIDENCE)}
        FROM drift
        WHERE {_OF_MODEL} AND complete AND column != '{MODEL}'
          AND (model_version, served, window_start, window_end, revision) IN revised
          AND ({_IDENTITY}) IN (SELECT {_IDENTITY} FROM drift WHERE {_OF_MODEL} AND state = 'drifted')
        GROUP BY {_IDENTITY}, place
        HAVING last_state IN ('ok', 'drifted')
    ), ordered AS (
        SELECT *, max(place.1) OVER (PARTITION BY {_IDENTITY} ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS judged_up_to
        FROM last
    ), spans AS (
        SELECT *, max(if(last_state = 'ok' AND place < {{since:Tuple(Int64, Int64)}}, place, (toInt64(0), toInt64(0))))
                  OVER (PARTITION BY {_IDENTITY}) AS span
        FROM ordered WHERE -place.2 >= judged_up_to
    )
    SELECT *, place.1 AS window_end, -place.2 AS window_start, span.1 AS span_end, span.2 AS span_start
    FROM spans WHERE place >= span
"""

_WINDOWS = f"""
    SELECT model_version, served, {_PLACE} AS place, place.1 AS end, -place.2 AS start,
           max(revision) AS last_revision, argMax(contract, revision) AS last_contract
    FROM drift
    WHERE {_OF_MODEL} AND complete AND column = '{MODEL}'
    GROUP BY model_version, served, place
"""

_SAID = f"""
    SELECT {_IDENTITY}, alert_id, state, severity, toUnixTimestamp64Micro(started_at) AS started, revision,
           toUnixTimestamp64Micro(window_end) AS window_end, toUnixTimestamp64Micro(window_start) AS window_start
    FROM alerts FINAL
    WHERE {_OF_MODEL} AND metric = '{METRIC}'
    ORDER BY _appended_at, _offset, _row
"""


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches():
        yield from batch.to_pylist()


def _identity(model: str, environment: str, row: dict[str, Any]) -> AlertIdentity:
    return AlertIdentity(
        model,
        environment,
        row["model_version"],
        row["served"],
        METRIC,
        row["reference"],
        row["column"],
        row["slice"],
    )


def _verdict(row: dict[str, Any], contracts: Mapping[str, Contract]) -> LastVerdict:
    contract = contracts.get(row["last_contract"])
    return LastVerdict(
        window_start=row["window_start"],
        window_end=row["window_end"],
        revision=row["last_revision"],
        state=row["last_state"],
        severe=row["last_material"] == "severe",
        persistence=contract.drift.persistence if contract else 2,
        contract=row["last_contract"],
        evidence={name: row[f"last_{name}"] for name in EVIDENCE if row[f"last_{name}"] is not None},
    )


def _recorded(row: dict[str, Any]) -> RecordedAlert:
    verdict = LastVerdict(row["window_start"], row["window_end"], row["revision"], state="")
    return RecordedAlert(AlertEvent(row["started"], row["state"], row["severity"], verdict), row["alert_id"])
