"""Windows whose events were kept at several sampling rates, on real Kafka and ClickHouse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from flushes import DAY, FIRST_DAY, MODEL, Events, ordinary
from monitor_road import Road, in_thread
from waiting import eventually

from evaluation.drift_by_month import drift_by_month
from stream_processors.contracts.infer import infer_from
from stream_processors.contracts.model import Windows
from stream_processors.contracts.publish import publish
from stream_processors.contracts.recorded_data import RecordedData
from stream_processors.monitor import process
from stream_processors.monitor.record_reference import training_reference
from stream_processors.windows import DAY as DAY_MICROS
from stream_processors.windows import Width

MONDAY = FIRST_DAY + 41 * DAY  # the first day of its week
TUESDAY = MONDAY + DAY


def _sampled(rng: np.random.Generator, start: datetime, shift: float = 0.0) -> list[Events]:
    """A tenth of a day of 10,000, and all its 300 failures, which are of one carrier and of the far distances."""
    failures = {"distance": np.full(300, 1_800.0), "carrier": ["B6"] * 300}
    failed = Events(start, failures, errors=300)
    rest = ordinary(rng, start, 970, shift=shift, sampling_rate=0.1)
    return [rest, failed]


def test_failures_beside_a_sample_are_no_drift_and_drift_is_found(road: Road) -> None:
    """Monday is usual and was severe by its failures alone; Tuesday is shifted; figures are of the whole, counts of what came."""
    road.publish()
    rng = np.random.default_rng(1)
    with in_thread(process.run, road.settings):
        road.flushes.flush([*_sampled(rng, MONDAY), *_sampled(rng, TUESDAY, shift=1.0)])
        road.flushes.idle(3)
        road.eventually_verdicts(2, column="@model")
    states = {(row["window_start"], row["column"]): row["state"] for row in road.verdicts(slice="")}
    assert states == {
        (MONDAY, "distance"): "ok",
        (MONDAY, "carrier"): "ok",
        (MONDAY, "@model"): "ok",
        (TUESDAY, "distance"): "drifted",
        (TUESDAY, "carrier"): "ok",
        (TUESDAY, "@model"): "drifted",
    }
    monday = {row["column"]: row for row in road.verdicts(window_start=MONDAY)}
    assert {row["n"] for row in monday.values()} == {1_028}
    assert {sum(row["counts"]) for name, row in monday.items() if name != "@model"} == {1_028}
    evidence = dict(monday["@model"]["evidence"])
    assert (evidence["volume"], evidence["errors"]) == (1_270, 300)
    assert evidence["error_rate"] == pytest.approx(0.03)
    assert {one.feature: (one.n, one.state) for one in drift_by_month(road.store, MODEL)}["carrier"][
        1
    ] == "ok"


def test_the_minimum_sample_is_held_against_what_the_events_tell(road: Road) -> None:
    """A day of 430 events that tell as much as 192 is too small for itself, and the week of two such days is judged."""
    road.publish(windows=Windows(base=86400, rollups=("1w",)))
    rng = np.random.default_rng(2)
    with in_thread(process.run, road.settings):
        road.flushes.flush(
            [
                ordinary(rng, day, n, sampling_rate=rate)
                for day in (MONDAY, TUESDAY)
                for rate, n in ((0.1, 130), (1.0, 300))
            ]
        )
        road.flushes.idle(3)
        road.eventually_verdicts(3, column="@model")
    found = {(row["window_end"] - row["window_start"]).days: row for row in road.verdicts(column="carrier")}
    assert {days: (row["state"], row["n"]) for days, row in found.items()} == {
        1: ("insufficient", 192),
        7: ("ok", 385),
    }


def test_a_column_s_last_kind_is_the_last_at_any_rate(road: Road) -> None:
    """The first failure after a feature became numeric counts it at a new rate: it is no later kind than the categories that came since."""
    road.publish()
    rng = np.random.default_rng(3)
    sample = ordinary(rng, MONDAY, sampling_rate=0.1)
    numbers = {**sample.columns, "carrier": np.ones(600)}
    with in_thread(process.run, road.settings):
        road.flushes.flush([replace(sample, columns=numbers)])
        road.flushes.flush([sample])
        road.flushes.flush([Events(MONDAY, {"distance": rng.normal(1000, 300, 5), "carrier": np.ones(5)})])
        road.flushes.idle(3)
        eventually(lambda: [row["n"] for row in road.verdicts(column="@model")][-1:] == [1_201], within=40)
    row = road.verdicts(column="carrier")[-1]
    assert (row["state"], row["n"], row["excluded"]) == ("ok", 600, 0)


def test_a_reference_of_recorded_events_weighs_them_by_their_rates(road: Road) -> None:
    """One day kept whole, the next at a tenth: in the reference both days weigh the same."""
    data = RecordedData()
    for day, rate, n, carrier in ((MONDAY, 1.0, 2_000, "UA"), (TUESDAY, 0.1, 200, "DL")):
        data.add(_recorded(day, rate, n, carrier))
    wanted, records = infer_from(data, ["distance", "carrier"], model=MODEL, base="1d")
    assert [(one["sampling_rate"], one["events"]) for one in records] == [(1.0, 2_000), (0.1, 200)]
    digest = publish(road.settings.kafka, wanted, baseline=records, lead=0.0).contract.references["training"]

    def there() -> Any:
        found = training_reference(road.store, MODEL, digest, Width(DAY_MICROS))
        assert found is not None
        return found

    found = eventually(there, within=20)
    carriers = found.of("", "carrier").sketch
    assert dict(zip(carriers.values, carriers.counts.tolist(), strict=True)) == {"DL": 364, "UA": 364}
    assert found.events == {"": 727}
    assert found.of("", "distance").sketch.n == carriers.n


def test_a_reference_of_shorter_windows_is_added_up_to_the_judged_ones(road: Road) -> None:
    """As baselines were made that are still published: one of hours is one of days."""
    records = []
    for day, hour, n, carrier in ((MONDAY, 3, 40, "UA"), (MONDAY, 9, 60, "DL"), (TUESDAY, 0, 50, "AA")):
        data = RecordedData()
        data.add(_recorded(day, 1.0, n, carrier))
        wanted, (record,) = infer_from(data, ["distance", "carrier"], model=MODEL, base="1h")
        start = record["window_start"] + timedelta(hours=hour)
        records.append({**record, "window_start": start, "window_end": start + timedelta(hours=1)})
    digest = publish(road.settings.kafka, wanted, baseline=records, lead=0.0).contract.references["training"]

    def there(width: int) -> Any:
        found = training_reference(road.store, MODEL, digest, Width(width))
        assert found is not None
        return {column: dict(found.read(column))[""] for column in ("distance", "carrier")}

    days = eventually(lambda: there(DAY_MICROS), within=20)
    assert [sketch.n for sketch in days["distance"]] == [100, 50]
    assert [dict(zip(one.values, one.counts.tolist(), strict=True)) for one in days["carrier"]] == [
        {"DL": 60, "UA": 40},
        {"AA": 50},
    ]
    assert [sketch.n for sketch in there(DAY_MICROS // 24)["distance"]] == [40, 60, 50]


def _recorded(day: datetime, rate: float, n: int, carrier: str) -> pa.RecordBatch:
    texts, numbers = pa.map_(pa.string(), pa.string()), pa.map_(pa.string(), pa.float64())
    return pa.record_batch(
        {
            "status": pa.array(["ok"] * n),
            "event_time": pa.array([day.astimezone(UTC)] * n, pa.timestamp("us", "UTC")),
            "sampling_rate": pa.array([rate] * n),
            "score": pa.nulls(n, pa.float64()),
            "decision": pa.nulls(n, pa.string()),
            "numeric_features": pa.array([[("distance", float(place))] for place in range(n)], numbers),
            "categorical_features": pa.array([[("carrier", carrier)]] * n, texts),
            "segments": pa.array([[]] * n, texts),
        }
    )
