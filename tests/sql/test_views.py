"""The views of what is stored: versions live, sketches merged, last revisions, alerts, accounting."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from recorded_rows import Recorder, prediction, utc

from stream_processors.sketches.bins import coarsen
from stream_processors.sql_files import sql_files

DAY = timedelta(days=1)
START = utc("2024-03-01")
VIEWS = [(path.stem[3:], path.read_text(encoding="utf-8")) for path in sql_files("views")]
NAMES = [name for name, _ in VIEWS]


@pytest.mark.parametrize(("name", "text"), VIEWS, ids=NAMES)
def test_each_view_is_documented_and_its_example_runs(recorder: Recorder, name: str, text: str) -> None:
    """A view has a header with an example that runs, a comment, and a comment on each column."""
    assert f"CREATE OR REPLACE VIEW {name}{{on_cluster}}" in text
    assert text.startswith(f"-- {name}")
    example = re.search(r"^-- example: (SELECT .*)$", text, re.MULTILINE)
    assert example is not None
    recorder.store.arrow(example[1])
    where = "database = {database:String} AND table = {name:String}"
    bound = {"database": recorder.store.database, "name": name}
    comment = recorder.store.command(
        "SELECT comment FROM system.tables WHERE database = {database:String} AND name = {name:String}", bound
    )
    assert comment
    columns = recorder.store.rows(f"SELECT name, comment FROM system.columns WHERE {where}", bound)
    # ClickHouse keeps no columns of a parametrised view: its header lists them
    assert columns or "-- columns:" in text or "Columns as in" in text
    assert [column["name"] for column in columns if not column["comment"]] == []


@pytest.mark.parametrize("name", [name for name, text in VIEWS if "-- columns:" in text])
def test_parametrised_views_list_their_columns(recorder: Recorder, name: str) -> None:
    """What a parametrised view gives is named in its header, or is what another one gives and more."""
    header = dict(VIEWS)[name].split("CREATE", 1)[0]
    given = recorder.store.arrow(f"SELECT * FROM {name}(t = '2024-01-01') LIMIT 0").column_names
    if "as predictions_all_v" in header:
        given = given[given.index("label_state") :]
    missing = [column for column in given if not re.search(rf"\b{column}\b", header)]
    assert missing == []


def deployed(version: str, role: str, at: Any, **more: Any) -> dict[str, Any]:
    """A row of deployments."""
    return {
        "model": "m",
        "model_version": version,
        "environment": "production",
        "role": role,
        "valid_from": at,
        "known_at": at,
        "_appended_at": at,
        **more,
    }


def test_a_champion_ends_when_another_begins(record: Recorder) -> None:
    """Roles follow one another without gap or overlap; a champion ends its predecessor, a shadow nobody; retired is not live."""
    record.insert(
        "deployments",
        [
            deployed("1", "champion", START),
            deployed("2", "shadow", START + DAY),
            deployed("2", "champion", START + 2 * DAY),
            deployed("3", "challenger", START + 2 * DAY),
            deployed("3", "retired", START + 3 * DAY),
            deployed("9", "champion", START, environment="staging"),
        ],
    )
    rows = record.store.rows(
        "SELECT model_version, role, valid_from, valid_to FROM live_versions WHERE environment = 'production' ORDER BY ALL"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("1", "champion", START, START + 2 * DAY),
        ("2", "champion", START + 2 * DAY, None),
        ("2", "shadow", START + DAY, START + 2 * DAY),
        ("3", "challenger", START + 2 * DAY, START + 3 * DAY),
    ]


def test_the_deployment_appended_last_holds(record: Recorder) -> None:
    """Of two statements about one version and moment the later one counts, and a repeated one changes nothing."""
    record.insert(
        "deployments",
        [deployed("1", "shadow", START), deployed("1", "champion", START, _appended_at=START + DAY)],
    )
    record.insert("deployments", [deployed("1", "champion", START, _appended_at=START + DAY)])
    assert record.store.rows("SELECT role, valid_to FROM live_versions") == [
        {"role": "champion", "valid_to": None}
    ]


def test_prediction_carries_the_role_of_its_moment(record: Recorder) -> None:
    """The role is that of event_time: none before the first deployment, the new one from its first microsecond, none once superseded."""
    record.insert(
        "deployments",
        [
            deployed("1", "champion", START),
            deployed("2", "champion", START + DAY),
            deployed("2", "retired", START + 2 * DAY),
        ],
    )
    tick = timedelta(microseconds=1)
    record.insert(
        "predictions",
        [
            prediction("a", START - tick),
            prediction("b", START),
            prediction("c", START + DAY - tick),
            prediction("d", START + DAY),
            prediction("e", START + DAY, model_version="2"),
            prediction("f", START + 2 * DAY, model_version="2", served=False),
            prediction("b", START, _appended_at=START + DAY),
        ],
    )
    rows = record.store.rows("SELECT prediction_id, role FROM predictions_all_v ORDER BY prediction_id")
    assert {row["prediction_id"]: row["role"] for row in rows} == {
        "a": "",
        "b": "champion",
        "c": "champion",
        "d": "",
        "e": "champion",
        "f": "",
    }
    assert len(rows) == 6
    assert record.store.command("SELECT count() FROM predictions_v") == 5


SKETCH = {
    "kind": "delta",
    "model": "m",
    "model_version": "1",
    "environment": "production",
    "served": True,
    "sampling_rate": 1.0,
    "shape": "s",
    "window_start": START,
    "window_end": START + DAY,
    "topic_id": "topic",
    "parts": 1,
}


def numeric(values: list[float], precision: int = 5, **more: Any) -> dict[str, Any]:
    """A sketch row of a numeric column."""
    bins, counts = np.unique(np.array(values), return_counts=True)
    coarse = coarsen(bins, counts, precision)
    return {
        **SKETCH,
        "column": "x",
        "column_kind": "numeric",
        "precision": precision,
        "bins": coarse[0].tolist(),
        "counts": coarse[1].tolist(),
        "sum": sum(values),
        "sum_of_squares": sum(v * v for v in values),
        "min": min(values),
        "max": max(values),
        **more,
    }


def test_deltas_add_up(record: Recorder) -> None:
    """Deltas of all partitions and stretches of a window are one row: bins, counts, specials and moments of all values."""
    first, second = [1.0, 2.0, 2.0, 40.0], [2.0, -7.0]
    record.insert(
        "sketches",
        [
            numeric(first, nulls=1, absent=2, source_partition=0),
            numeric(second, nans=3, plus_inf=1, source_partition=1, first_offset=9),
            # sent twice by a zombie recorder: the same place in the log
            numeric(second, nans=3, plus_inf=1, source_partition=1, first_offset=9, _offset=777),
            numeric(second, nans=3, plus_inf=1, source_partition=1, first_offset=9, _offset=777),
            numeric([5.0], kind="reference", reference="digest"),
        ],
    )
    row = record.store.rows("SELECT * FROM feature_windows")[0]
    values = np.array(first + second + second)
    assert dict(zip(row["bins"], row["counts"], strict=True)) == {-7.0: 2, 1.0: 1, 2.0: 4, 40.0: 1}
    assert (row["nulls"], row["absent"], row["nans"], row["plus_inf"], row["n"], row["finite"]) == (
        1,
        2,
        6,
        2,
        16,
        8,
    )
    assert row["mean"] == pytest.approx(values.mean())
    assert row["deviation"] == pytest.approx(values.std())
    assert (row["min"], row["max"], row["deltas"]) == (-7.0, 40.0, 3)


def test_the_newest_total_replaces_what_it_counted(record: Recorder) -> None:
    """A total stands for every delta before its up_to and for older totals; deltas at or beyond it are added."""
    record.insert(
        "sketches",
        [
            numeric([1.0], source_partition=0, first_offset=0, next_offset=10),
            numeric([2.0], source_partition=0, first_offset=10, next_offset=20),
            numeric([4.0], source_partition=1, first_offset=0, next_offset=5),
            numeric([64.0], kind="total", up_to={"topic/0": 10}, _appended_at=START),
            numeric([128.0], kind="total", up_to={"topic/0": 10, "topic/1": 5}, _appended_at=START + DAY),
        ],
    )
    row = record.store.rows("SELECT bins, counts, deltas FROM feature_windows")[0]
    assert row == {"bins": [2.0, 128.0], "counts": [1, 1], "deltas": 2}


def test_coarsened_sketches_merge_at_the_least_precision(record: Recorder) -> None:
    """A degraded delta and a fine one become one histogram of the coarser bins."""
    fine = [100.0, 101.0, 102.0, 103.0]
    record.insert(
        "sketches", [numeric(fine, precision=7), numeric(fine, precision=4, degraded=True, first_offset=4)]
    )
    row = record.store.rows("SELECT bins, counts, precision, degraded FROM feature_windows")[0]
    wanted = coarsen(np.array(fine), np.full(4, 2), 4)
    assert row == {"bins": wanted[0].tolist(), "counts": wanted[1].tolist(), "precision": 4, "degraded": True}


def test_categories_and_events_add_up(record: Recorder) -> None:
    """Named values, hash buckets and the pseudo-column @events are sums as well; served and shadow stay apart."""
    buckets = [0] * 64
    category = {
        **SKETCH,
        "column": "c",
        "column_kind": "categorical",
        "values": ["a", "b"],
        "counts": [1, 2],
        "buckets": [*buckets[1:], 5],
    }
    events = {
        **SKETCH,
        "column": "@events",
        "column_kind": "events",
        "events": 8,
        "errors": 1,
        "min_event_time": START,
    }
    later = {"first_offset": 9, "min_event_time": START + timedelta(hours=1)}
    record.insert(
        "sketches",
        [category, {**category, "values": ["b", "z"], "first_offset": 9}, events, {**events, **later}],
    )
    record.insert("sketches", [{**events, "served": False}])
    rows = record.store.rows("SELECT * FROM feature_windows ORDER BY column, served DESC")
    assert [(row["column"], row["served"], row["events"], row["errors"]) for row in rows[:2]] == [
        ("@events", True, 16, 2),
        ("@events", False, 8, 1),
    ]
    assert rows[0]["min_event_time"] == START
    assert dict(zip(rows[2]["values"], rows[2]["counts"], strict=True)) == {"a": 1, "b": 3, "z": 2}
    assert (rows[2]["buckets"][63], rows[2]["n"]) == (10, 16)


def test_last_revision_of_verdicts_and_quality(record: Recorder) -> None:
    """drift_v and quality_v hold the last revision of each verdict and window, whichever was recorded last."""
    verdict = {
        "model": "m",
        "model_version": "1",
        "environment": "production",
        "served": True,
        "reference": "training",
        "column": "x",
    }
    window = {"window_start": START, "window_end": START + DAY}
    record.insert(
        "drift",
        [
            {**verdict, **window, "revision": revision, "psi": psi}
            for revision, psi in [(7, 0.7), (9, None), (8, 0.8)]
        ],
    )
    record.insert("drift", [{**verdict, **window, "slice": "o=JFK", "revision": 1, "psi": 0.1}])
    rows = record.store.rows("SELECT slice, revision, psi FROM drift_v ORDER BY slice")
    assert [tuple(row.values()) for row in rows] == [("", 9, None), ("o=JFK", 1, 0.1)]
    figures = {"model": "m", "model_version": "1", "environment": "production", "served": True, **window}
    revisions = [(START + DAY, 0.5, 3), (START + 3 * DAY, None, 4), (START + 2 * DAY, 0.7, 5)]
    record.insert(
        "quality",
        [{**figures, "revision": at, "coverage": share, "labelled": n} for at, share, n in revisions],
    )
    rows = record.store.rows("SELECT revision, coverage, labelled, revisions FROM quality_v")
    assert [tuple(row.values()) for row in rows] == [(START + 3 * DAY, None, 4, 3)]


def test_an_alert_is_one_row(record: Recorder) -> None:
    """The last message tells how an alert stands; evidence is that of its last firing one; a withdrawn one says so."""
    common = {
        "model": "m",
        "environment": "production",
        "served": True,
        "metric": "drift",
        "started_at": START,
    }

    def said(alert: str, state: str, severity: str, day: int, summary: str) -> dict[str, Any]:
        window = {
            "window_start": START + day * DAY,
            "window_end": START + (day + 1) * DAY,
            "_appended_at": START + (day + 1) * DAY,
        }
        return {
            **common,
            **window,
            "alert_id": alert,
            "state": state,
            "severity": severity,
            "summary": summary,
        }

    record.insert(
        "alerts", [said("a", "firing", "warn", 0, "moved"), said("a", "firing", "severe", 1, "moved far")]
    )
    record.insert(
        "alerts", [said("b", "firing", "warn", 0, "moved"), said("b", "withdrawn", "warn", 1, "not so")]
    )
    seen = "SELECT alert_id, state, severity, summary, resolved_at FROM alerts_v ORDER BY alert_id"
    assert [tuple(row.values()) for row in record.store.rows(seen)] == [
        ("a", "firing", "severe", "moved far", None),
        ("b", "withdrawn", "warn", "moved", None),
    ]
    record.insert("alerts", [said("a", "resolved", "severe", 2, "as before")])
    assert tuple(record.store.rows(seen)[0].values()) == (
        "a",
        "resolved",
        "severe",
        "moved far",
        START + 3 * DAY,
    )


def arrival(
    number: int | None, identity: int, *, dead: bool = False, at: Any = START, producer: str = "p"
) -> dict[str, Any]:
    """A row of intake."""
    return {
        "model": "m",
        "model_version": "1",
        "environment": "production",
        "served": True,
        "window_start": START,
        "event_time": at,
        "prediction_id_hash": identity,
        "producer_id": "" if number is None else producer,
        "sequence": number,
        "dead_letter": dead,
    }


def ledger(accepted: int, minute: int, *, producer: str = "p", **more: Any) -> dict[str, Any]:
    """A row of the ledger."""
    return {
        "producer_id": producer,
        "model": "m",
        "environment": "production",
        "stream": "predictions",
        "hour": START,
        "accepted": accepted,
        "sent_at": START + timedelta(minutes=minute),
        **more,
    }


def test_accounting_adds_up(record: Recorder) -> None:
    """Accepted is what was recorded, removed as duplicate, dead-lettered, dropped, refused, spooled, and what is still in flight."""
    record.insert(
        "ledger",
        [
            ledger(99, 5, dropped={"queue_full": 1}),
            ledger(12, 9, dropped={"queue_full": 1, "too_large": 1}, failed=1, spooled=2),
            ledger(4, 1),
            ledger(500, 9, stream="labels"),
            ledger(1, 9, producer="q"),
        ],
    )
    # the newest ledger is the one sent last, not the one with most
    record.insert(
        "intake",
        [
            *(arrival(number, number) for number in range(4)),
            arrival(0, 0),  # delivered again: accepted once
            arrival(4, 3),  # accepted again under the same id
            arrival(5, 5, dead=True),
            arrival(6, 6, dead=True),
            arrival(6, 6),  # a dead letter sent back
            arrival(1, 0, producer="q"),  # another producer said the same
            arrival(None, 70),
            arrival(None, 71, dead=True),
        ],
    )
    known = {"producer_id": "p", "sequence": 1}
    record.insert(
        "predictions",
        [prediction(str(n), START, **known) for n in (0, 1, 2, 3, 6)] + [prediction("70", START)],
    )
    rows = record.store.rows("SELECT * FROM accounting")
    assert rows == [
        {
            "model": "m",
            "environment": "production",
            "hour": START,
            "accepted": 13,
            "recorded": 5,
            "duplicates_removed": 2,
            "dead_lettered": 1,
            "dropped": 2,
            "failed": 1,
            "spooled": 2,
            "in_flight": 0,
            "resent": 2,
            "without_producer": 1,
            "dead_letters_without_producer": 1,
        }
    ]


def test_loss_shows_in_accounting(record: Recorder) -> None:
    """What nobody has is in flight: the guard against figures that always add up."""
    record.insert("ledger", [ledger(3, 1)])
    record.insert("intake", [arrival(0, 0)])
    record.insert("predictions", [prediction("0", START, producer_id="p", sequence=0)])
    assert record.store.rows("SELECT accepted, recorded, in_flight FROM accounting") == [
        {"accepted": 3, "recorded": 1, "in_flight": 2}
    ]
