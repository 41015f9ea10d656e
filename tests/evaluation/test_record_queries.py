"""Named questions about what was said, what was live, what drifted, what alerted and what was lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from known_history import APRIL, MARCH, MODEL, START, KnownHistory
from producer_rows import START as LEDGER_START
from producer_rows import arrival, arrivals, ledger
from recorded_rows import TOPIC_ID, Recorder, migrated_record, prediction, utc
from scipy.stats import ks_2samp, wasserstein_distance

from evaluation.history import History
from stream_processors.sketches.bins import histogram_bins, midpoint

DAY = timedelta(days=1)
WINDOW = {"window_start": START, "window_end": START + DAY}
VERSION = {"model": MODEL, "model_version": "1", "environment": "production", "served": True}


@pytest.fixture(scope="module")
def record(clickhouse: str) -> Iterator[Recorder]:
    """A database for questions whose rows each test brings."""
    with migrated_record(clickhouse) as made:
        yield made


@pytest.fixture
def ask(record: Recorder) -> Iterator[History]:
    """The door to it, without rows before and after."""
    with History(record.store.settings) as door:
        yield door
    record.clear()


def rows(history: History, name: str, /, **parameters: Any) -> list[dict[str, Any]]:
    """An answer as dictionaries."""
    found: list[dict[str, Any]] = history.query(name, **parameters).to_pylist()
    return found


@pytest.mark.parametrize(
    ("every", "frequency"), [("hour", "h"), ("day", "D"), ("week", "W-SUN"), ("month", "M")]
)
def test_volume(history: History, known: KnownHistory, every: str, frequency: str) -> None:
    """Counts, failures and latencies per window of UTC, version, role and kind of traffic; resends count once."""
    found = rows(history, "volume", model=MODEL, every=every, traffic="all")
    made = known.predictions
    starts = made.event_time.dt.tz_localize(None).dt.to_period(frequency).dt.start_time.dt.tz_localize("UTC")
    groups = {
        (str(start), version, bool(served)): group
        for (start, version, served), group in made.groupby([starts, "model_version", "served"])
    }
    assert {(str(pd.Timestamp(row["window"])), row["model_version"], row["served"]) for row in found} == set(
        groups
    )
    for row in found:
        group = groups[str(pd.Timestamp(row["window"])), row["model_version"], row["served"]]
        failed = (group.status != "ok").sum()
        assert (row["predictions"], row["errors"]) == (len(group), failed)
        assert row["error_share"] == pytest.approx(failed / len(group))
        assert row["role"] == ("champion" if row["served"] else "shadow")
        ordered = np.sort(group.latency_ms)
        assert ordered[0] <= row["latency_p50_ms"] <= row["latency_p99_ms"] <= ordered[-1]
    assert sum(row["predictions"] for row in found) == len(made) < known.sent


def test_volume_is_served_unless_asked(history: History, known: KnownHistory) -> None:
    """Shadow traffic is counted when it is asked for."""
    total = {
        kind: sum(row["predictions"] for row in rows(history, "volume", model=MODEL, traffic=kind))
        for kind in ("served", "shadow", "all")
    }
    served = int(known.predictions.served.sum())
    assert total == {
        "served": served,
        "shadow": len(known.predictions) - served,
        "all": len(known.predictions),
    }
    assert sum(row["predictions"] for row in rows(history, "volume", model=MODEL)) == served


def test_live_when(history: History) -> None:
    """Which version was live when; and at one moment."""
    everything = rows(history, "live_when", model=MODEL)
    assert [
        (row["model_version"], row["role"], row["valid_from"], row["valid_to"]) for row in everything
    ] == [
        ("1", "champion", START, APRIL),
        ("2", "shadow", MARCH, APRIL),
        ("2", "champion", APRIL, None),
    ]
    assert [row["model_version"] for row in rows(history, "live_when", model=MODEL, at=MARCH + DAY)] == [
        "1",
        "2",
    ]
    assert [row["role"] for row in rows(history, "live_when", model=MODEL, at=APRIL)] == ["champion"]


def test_entity_history(history: History, known: KnownHistory) -> None:
    """Everything every version said about one subject and what came true, newest first, as known at a moment."""
    t = utc("2013-04-10")
    for moment in (None, t):
        given = {} if moment is None else {"t": moment}
        found = rows(history, "entity_history", model=MODEL, entity="N7", **given)
        expected = known.outcomes(moment)
        expected = expected[expected.entity_id == "N7"].sort_values(
            ["event_time", "model_version"], ascending=[False, True]
        )
        assert [
            (row["prediction_id"], row["model_version"], row["label_state"], row["truth"]) for row in found
        ] == [
            (row.prediction_id, row.model_version, row.state, row.truth if row.state == "labelled" else None)
            for row in expected.itertuples()
        ]
        assert found
    assert dict(found[0]["categorical_features"]).keys() == {"origin", "carrier"}
    assert len(rows(history, "entity_history", model=MODEL, entity="N7", most=3)) == 3
    assert {
        row["served"] for row in rows(history, "entity_history", model=MODEL, entity="N7", traffic="served")
    } == {True}


def test_hostile_names_are_only_values(ask: History, record: Recorder) -> None:
    """Quotes, backslashes, braces and line ends in a parameter are compared, not read as SQL."""
    hostile = [
        "' OR 1=1 --",
        'it\'s \\ "q" {model:String}',
        "line\nend\ttab",
        "%(x)s %%",
        "ünïcode'; DROP TABLE predictions",
    ]
    record.insert(
        "predictions",
        [prediction(str(n), START, model=name, entity_id=name) for n, name in enumerate(hostile)],
    )
    for number, name in enumerate(hostile):
        found = rows(ask, "entity_history", model=name, entity=name)
        assert [row["prediction_id"] for row in found] == [str(number)]


def test_drift_by_feature(ask: History, record: Recorder) -> None:
    """The last revision per verdict, of the slice, reference and period asked for."""
    verdict = {**VERSION, "reference": "training", "state": "ok", "material": "none"}
    late = {"window_start": START + DAY, "window_end": START + 2 * DAY}
    record.insert(
        "drift",
        [
            {**verdict, **WINDOW, "column": "distance", "revision": 3, "psi": 0.1},
            {
                **verdict,
                **WINDOW,
                "column": "distance",
                "revision": 5,
                "psi": 0.3,
                "state": "drifted",
                "material": "severe",
            },
            {**verdict, **late, "column": "distance", "revision": 6, "psi": 0.2},
            {**verdict, **WINDOW, "column": "@score", "revision": 5, "psi": 0.4},
            {**verdict, **WINDOW, "column": "distance", "slice": "origin=JFK", "revision": 5, "psi": 0.5},
            {**verdict, **WINDOW, "column": "distance", "served": False, "revision": 5, "psi": 0.6},
            {**verdict, **WINDOW, "column": "distance", "reference": "previous", "revision": 5, "psi": 0.7},
        ],
    )
    assert [row["psi"] for row in rows(ask, "drift_by_feature", model=MODEL)] == [0.4, 0.3, 0.2]
    assert [
        row["psi"] for row in rows(ask, "drift_by_feature", model=MODEL, column="distance", until=START + DAY)
    ] == [0.3]
    assert [row["psi"] for row in rows(ask, "drift_by_feature", model=MODEL, slice="origin=JFK")] == [0.5]
    assert [row["psi"] for row in rows(ask, "drift_by_feature", model=MODEL, traffic="shadow")] == [0.6]
    assert [row["psi"] for row in rows(ask, "drift_by_feature", model=MODEL, reference="previous")] == [0.7]


def test_drift_by_feature_without_a_reference(ask: History, record: Recorder) -> None:
    """A model without a baseline has verdicts too, which say so: they are found under no reference's name."""
    verdict = {**VERSION, **WINDOW, "state": "no_reference", "material": "none", "revision": 5}
    record.insert("drift", [{**verdict, "reference": "", "column": name} for name in ("@model", "distance")])
    assert rows(ask, "drift_by_feature", model=MODEL) == []
    found = rows(ask, "drift_by_feature", model=MODEL, reference="")
    assert [(row["column"], row["state"]) for row in found] == [
        ("@model", "no_reference"),
        ("distance", "no_reference"),
    ]


def sketch(values: np.ndarray[Any, Any], day: int, precision: int, **more: Any) -> dict[str, Any]:
    """One day's sketch of a numeric column."""
    bins, counts = np.unique(histogram_bins(values, precision), return_counts=True)
    return {
        **VERSION,
        "kind": "delta",
        "sampling_rate": 1.0,
        "column": "distance",
        "column_kind": "numeric",
        "topic_id": "t",
        "window_start": START + day * DAY,
        "window_end": START + (day + 1) * DAY,
        "precision": precision,
        "bins": bins.tolist(),
        "counts": counts.tolist(),
        "sum": float(values.sum()),
        "sum_of_squares": float((values**2).sum()),
        "nulls": 2,
        **more,
    }


def test_feature_change(ask: History, record: Recorder) -> None:
    """Two periods of several windows are compared as scipy compares their binned values, also across precisions."""
    random = np.random.default_rng(3)
    days = [
        random.normal(1000, 300, 500),
        random.normal(1000, 300, 300),
        random.normal(1300, 300, 400),
        random.normal(1300, 200, 200),
    ]
    record.insert(
        "sketches", [sketch(values, day, precision=7 if day != 2 else 6) for day, values in enumerate(days)]
    )
    origin = {
        **VERSION,
        "kind": "delta",
        "sampling_rate": 1.0,
        "column": "origin",
        "column_kind": "categorical",
        "values": ["EWR", "JFK"],
    }
    for day, counts in [(0, [10, 90]), (3, [50, 50])]:
        record.insert(
            "sketches",
            [
                {
                    **origin,
                    "window_start": START + day * DAY,
                    "window_end": START + (day + 1) * DAY,
                    "counts": counts,
                }
            ],
        )
    asked = {
        "since": START + 2 * DAY,
        "until": START + 4 * DAY,
        "reference_since": START,
        "reference_until": START + 2 * DAY,
    }
    found = {row["column"]: row for row in rows(ask, "feature_change", model=MODEL, **asked)}
    ours, theirs = np.concatenate(days[2:]), np.concatenate(days[:2])
    row = found["distance"]
    assert (row["n"], row["reference_n"]) == (600, 800)
    assert row["mean"] == pytest.approx(ours.mean())
    assert row["reference_null_share"] == pytest.approx(4 / 804)
    a, b = (midpoint(histogram_bins(side, 6), 6) for side in (ours, theirs))
    assert row["kolmogorov_smirnov"] == pytest.approx(ks_2samp(a, b).statistic, abs=1e-12)
    assert row["wasserstein"] == pytest.approx(wasserstein_distance(a, b), abs=1e-9)
    p, q = (50.5 / 101, 50.5 / 101), (10.5 / 101, 90.5 / 101)
    psi = sum((x - y) * np.log(x / y) for x, y in zip(p, q, strict=True))
    assert found["origin"]["psi"] == pytest.approx(psi)
    assert (found["origin"]["kolmogorov_smirnov"], found["origin"]["n"]) == (None, 100)


def test_alerts_fired(ask: History, record: Recorder) -> None:
    """Firing and resolved alerts; withdrawn ones only when asked for."""
    alert = {
        **VERSION,
        **WINDOW,
        "kind": "statistical",
        "metric": "drift",
        "severity": "severe",
        "summary": "moved",
    }
    states = {"a": ["firing"], "b": ["firing", "resolved"], "c": ["firing", "withdrawn"]}
    for day, (name, said) in enumerate(states.items()):
        record.insert(
            "alerts",
            [{**alert, "alert_id": name, "started_at": START + day * DAY, "state": state} for state in said],
        )
    assert [row["state"] for row in rows(ask, "alerts_fired")] == ["firing", "resolved"]
    assert [row["started_at"] for row in rows(ask, "alerts_fired", state="withdrawn", model=MODEL)] == [
        START + 2 * DAY
    ]
    assert rows(ask, "alerts_fired", model="other") == []
    assert len(rows(ask, "alerts_fired", since=START + DAY)) == 1


def test_dead_letters_by_reason(ask: History, record: Recorder) -> None:
    """One row per topic, model and reason; a dead letter recorded twice counts once."""
    letter = {
        "topic": "hindcast.predictions",
        "topic_id": "t",
        "reason": "undecodable",
        "detail": "ends early",
        "appended_at": START,
    }
    other = {**letter, "reason": "contract", "model": MODEL, "detail": "lacks distance", "replayed": True}
    record.insert(
        "dead_letters",
        [{**letter, "offset": 1}, {**letter, "offset": 1}, {**letter, "offset": 2, "detail": "no header"}],
    )
    record.insert("dead_letters", [{**other, "offset": 3, "appended_at": START + DAY}])
    found = rows(ask, "dead_letters_by_reason")
    assert [(row["reason"], row["messages"], row["detail"], row["replayed"]) for row in found] == [
        ("undecodable", 2, "no header", 0),
        ("contract", 1, "lacks distance", 1),
    ]
    assert [row["reason"] for row in rows(ask, "dead_letters_by_reason", model=MODEL)] == ["contract"]
    assert [row["reason"] for row in rows(ask, "dead_letters_by_reason", until=START + DAY)] == [
        "undecodable"
    ]


def test_accounting_by_window(ask: History, record: Recorder) -> None:
    """Hours add up to days and to everything, and a model's rows are its own; what is unknown in an hour is unknown in the sum."""
    hours = [START + timedelta(hours=hour) for hour in (0, 1, 25)]
    told = {"model": MODEL, "accepted": 2, "dropped": {"queue_full": 1}, "closing": True}
    record.insert("ledger", [ledger(hour=hour, last=n, **told) for n, hour in enumerate(hours)])
    record.insert("intake", [arrival(n, at=hour, model=MODEL) for n, hour in enumerate(hours)])
    made = {"model": MODEL, "producer_id": "p"}
    record.insert(
        "predictions", [prediction(str(n), hour, sequence=n, **made) for n, hour in enumerate(hours)]
    )
    columns = ("accepted", "recorded", "dropped", "missing", "unknown_at_most", "balanced")
    expected = {
        "hour": [(2, 1, 1, 0, 0, True)] * 3,
        "day": [(4, 2, 2, 0, 0, True), (2, 1, 1, 0, 0, True)],
        "month": [(6, 3, 3, 0, 0, True)],
        "all": [(6, 3, 3, 0, 0, True)],
    }
    for every, wanted in expected.items():
        found = rows(ask, "accounting", every=every, model=MODEL)
        assert [tuple(row[column] for column in columns) for row in found] == wanted
    assert rows(ask, "accounting", model="other") == []
    record.insert("ledger", [ledger(2, producer_id="q", model=MODEL, hour=hours[0], queue_limit=7)])
    unclean = rows(ask, "accounting", every="day", model=MODEL)
    assert [(row["unknown_at_most"], row["unclean_ends"], row["balanced"]) for row in unclean] == [
        (9, 1, False),
        (0, 0, True),
    ]
    record.insert("ledger", [ledger(2, producer_id="r", model=MODEL, hour=hours[0], queue_limit=None)])
    assert [row["unknown_at_most"] for row in rows(ask, "accounting", model=MODEL)] == [None, 0]


def test_producers(ask: History, record: Recorder) -> None:
    """Who logs: the one heard last first, of the model, state and time asked for, with drops in all and by reason."""
    dropped = {"sampled": 3, "invalid": 1}
    record.insert("ledger", [ledger(6, 1, model=MODEL, dropped=dropped, closing=True)])
    record.insert("ledger", [ledger(3, producer_id="q", environment="staging", minute=20)])
    record.insert(
        "intake", arrivals(range(2), model=MODEL) + arrivals([0, 2], producer_id="q", environment="staging")
    )
    found = rows(ask, "producers")
    assert [(row["producer_id"], row["state"], row["missing"], row["gaps"]) for row in found] == [
        ("q", "silent", 1, 1),
        ("p", "closed", 0, 0),
    ]
    assert (found[1]["dropped"], dict(found[1]["dropped_by_reason"])) == (4, dropped)
    asked = {
        "p": [{"model": MODEL}, {"environment": "production"}, {"producer": "p"}, {"state": "closed"}],
        "q": [{"since": found[0]["last_heard"]}, {"state": "silent"}],
    }
    for name, ways in asked.items():
        for given in ways:
            assert [row["producer_id"] for row in rows(ask, "producers", **given)] == [name]


def test_sequence_gaps(ask: History, record: Recorder) -> None:
    """Where events went missing: of the model, producer and period asked for, at most so many."""
    late = LEDGER_START + DAY
    record.insert(
        "intake",
        [
            *arrivals([1, 4], model=MODEL),
            *arrivals([0], producer_id="q", environment="staging"),
            *arrivals([9], producer_id="q", environment="staging", at=late),
        ],
    )
    found = rows(ask, "sequence_gaps")
    assert [(row["producer_id"], row["missing"], row["minute_before"]) for row in found] == [
        ("p", 1, None),
        ("p", 2, LEDGER_START),
        ("q", 8, LEDGER_START),
    ]
    for given, wanted in (
        ({"model": MODEL}, [1, 2]),
        ({"environment": "staging"}, [8]),
        ({"producer": "q"}, [8]),
        ({"since": late}, [8]),
        ({"until": LEDGER_START}, [1]),
        ({"most": 2}, [1, 2]),
    ):
        assert [row["missing"] for row in rows(ask, "sequence_gaps", **given)] == wanted


def test_integrity(ask: History, record: Recorder) -> None:
    """Stretches whose messages are not those of intake; not those that the recorder has still to read."""

    def stretch(first: int, following: int, events: int, dead: int = 0, **more: Any) -> dict[str, Any]:
        counts = {"first_offset": first, "next_offset": following, "events": events, "dead_letters": dead}
        return {"topic_id": TOPIC_ID, **counts, "newest_append_time": START + following * DAY, **more}

    good = [stretch(0, 4, 3, dead=1), stretch(4, 6, 2)]
    twice_in_sketches = [{**one, "_partition": 1} for one in good]
    ahead_of_the_recorder = [stretch(12, 20, 8)]
    record.insert("stretches", good + twice_in_sketches + ahead_of_the_recorder)
    record.insert("stretches", [stretch(0, 1, 1, source_partition=1)])
    record.insert("intake", [arrival(n, _offset=n, dead=n == 2) for n in range(16)])
    record.insert("intake", [arrival(n, _offset=n, dead=n == 2) for n in range(3)])
    assert rows(ask, "integrity") == []
    record.insert("stretches", [stretch(6, 9, 4), stretch(9, 12, 2, dead=1)])
    record.insert("stretches", [stretch(30, 32, 2)])
    record.insert("intake", [arrival(40, _offset=40)])
    found = rows(ask, "integrity")
    columns = ("first_offset", "profiled", "recorded", "profiled_dead_letters", "recorded_dead_letters")
    assert [tuple(row[column] for column in columns) for row in found] == [
        (6, 4, 3, 0, 0),
        (9, 2, 3, 1, 0),
        (12, 8, 4, 0, 0),
        (30, 2, 0, 0, 0),
    ]
    assert [row["first_offset"] for row in rows(ask, "integrity", until=START + 12 * DAY)] == [6]
    assert [row["first_offset"] for row in rows(ask, "integrity", since=START + 21 * DAY)] == [30]
