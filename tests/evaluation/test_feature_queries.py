"""Named questions about features: histograms, what is missing, categories that come and go, what drifted most."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from answered import rows
from known_history import APRIL, END, MARCH, MODEL, START, KnownHistory
from known_stream import DRIFTED
from recorded_rows import EVENTS, Recorder

from evaluation.history import History
from stream_processors.sketches.bins import histogram_bins, midpoint

DAY = timedelta(days=1)
DELTA = {
    "kind": "delta",
    "model": MODEL,
    "model_version": "1",
    "environment": "production",
    "served": True,
    "sampling_rate": 1.0,
}


def served(known: KnownHistory) -> pd.DataFrame:
    """The served predictions, their features as columns of their own."""
    made = known.predictions[known.predictions.served]
    features = [{**row.numeric_features, **row.categorical_features} for row in made.itertuples()]
    return made.assign(**{name: [each[name] for each in features] for name in features[0]})


@pytest.mark.parametrize("bits", [3, 5, 20])
def test_histogram_of_a_number(history: History, known: KnownHistory, bits: int) -> None:
    """Bins, middles and counts are those of the values themselves, to as many bits as asked for and stored."""
    found = rows(
        history, "feature_histogram", model=MODEL, column="temperature", since=MARCH, until=APRIL, bits=bits
    )
    made = served(known)
    made = made[(made.event_time >= MARCH) & (made.event_time < APRIL)]
    values = made.temperature.dropna().to_numpy(dtype=float)
    # twice, because what is stored has seven bits
    bins, counts = np.unique(histogram_bins(histogram_bins(values, 7), min(bits, 7)), return_counts=True)
    numeric = [row for row in found if row["kind"] == "bin"]
    assert [(row["bin"], row["count"]) for row in numeric] == list(zip(bins, counts, strict=True))
    assert [row["middle"] for row in numeric] == pytest.approx(list(midpoint(bins, min(bits, 7))))
    assert [(row["kind"], row["count"]) for row in found if row["kind"] != "bin"] == [
        ("null", made.temperature.isna().sum())
    ]
    assert sum(row["share"] for row in found) == pytest.approx(1)


def test_histogram_of_a_category(history: History, known: KnownHistory) -> None:
    """Categories with the most frequent first, then nulls; another version and kind of traffic can be asked for."""
    found = rows(history, "feature_histogram", model=MODEL, column="carrier")
    counts = served(known).carrier.value_counts(dropna=False)
    assert {row["value"]: row["count"] for row in found if row["kind"] == "category"} == {
        name: count for name, count in counts.items() if isinstance(name, str)
    }
    assert [row["kind"] for row in found][-1] == "null"
    assert [row["count"] for row in found[:-1]] == sorted((row["count"] for row in found[:-1]), reverse=True)
    shadow = rows(history, "feature_histogram", model=MODEL, column="carrier", traffic="shadow")
    assert sum(row["count"] for row in shadow) == (~known.predictions.served).sum()
    of_2 = rows(history, "feature_histogram", model=MODEL, column="carrier", model_version="2")
    assert sum(row["count"] for row in of_2) == (served(known).model_version == "2").sum()


def test_histogram_of_what_is_no_number(ask: History, record: Recorder) -> None:
    """Infinities, NaN, absent and categories without a name have rows of their own."""
    window = {**DELTA, "window_start": START, "window_end": START + DAY}
    record.insert(
        "sketches",
        [
            {**window, "column": "x", "column_kind": "numeric", "precision": 7, "bins": [1.0], "counts": [6],
             "nans": 1, "plus_inf": 2, "minus_inf": 3, "absent": 4, "nulls": 4},
            {**window, "column": "c", "column_kind": "categorical", "values": ["a"], "counts": [3], "buckets": [1, 2]},
            {**window, **EVENTS, "events": 20},
        ],
    )  # fmt: skip
    assert [(row["kind"], row["count"], row["share"]) for row in rows(ask, "feature_histogram", model=MODEL, column="x")] == [
        ("bin", 6, 0.3), ("nan", 1, 0.05), ("plus_inf", 2, 0.1), ("minus_inf", 3, 0.15), ("null", 4, 0.2), ("absent", 4, 0.2),
    ]  # fmt: skip
    assert [(row["kind"], row["value"], row["count"]) for row in rows(ask, "feature_histogram", model=MODEL, column="c")] == [
        ("category", "a", 3), ("other", None, 3), ("absent", None, 14),
    ]  # fmt: skip
    assert rows(ask, "feature_histogram", model=MODEL, column="nosuch") == []


def test_missing_features(history: History, known: KnownHistory) -> None:
    """Nulls per day and feature equal those of the rows; a least share leaves the rest out."""
    found = rows(history, "missing_features", model=MODEL, column="temperature")
    made = served(known)
    days = made.groupby(made.event_time.dt.strftime("%Y-%m-%d")).temperature.agg(
        ["size", lambda each: each.isna().sum()]
    )
    assert {str(row["window"])[:10]: (row["events"], row["nulls"]) for row in found} == {
        day: (size, nulls) for day, size, nulls in days.itertuples()
    }
    assert all(row["missing_share"] == row["nulls"] / row["events"] for row in found)
    monthly = rows(history, "missing_features", model=MODEL, every="month", until=APRIL)
    assert {row["column"] for row in monthly} == {"@score", "carrier", "distance", "origin", "temperature"}
    some = rows(history, "missing_features", model=MODEL, every="all", least=0.05)
    assert {row["column"] for row in some} == {"temperature"}


def test_missing_tells_null_absent_and_nan_apart(ask: History, record: Recorder) -> None:
    """Their sum over all events is the missing share; NaN is among the values."""
    window = {
        **DELTA,
        "column": "x",
        "column_kind": "numeric",
        "window_start": START,
        "window_end": START + DAY,
    }
    record.insert(
        "sketches",
        [
            {**window, "precision": 7, "bins": [1.0], "counts": [5], "nans": 1, "nulls": 2, "absent": 2},
            {**window, **EVENTS, "events": 10},
        ],
    )
    (row,) = rows(ask, "missing_features", model=MODEL)
    assert (row["events"], row["nulls"], row["absent"], row["nans"], row["missing_share"]) == (
        10,
        2,
        2,
        1,
        0.5,
    )


@pytest.fixture
def sparse(ask: History, record: Recorder) -> History:
    """Three days of ten events of version 1, the second in two flushes: x comes in four of the first flush and in three of the next."""
    flushes = [(0, 0, 4), (1, 1, 3), (1, 2, 0), (2, 3, 0)]
    for day, number, carried in flushes:
        window = {**DELTA, "window_start": START + day * DAY, "window_end": START + (day + 1) * DAY}
        place = {"first_offset": number, "topic_id": "t"}
        said = {"column": "x", "column_kind": "numeric", "precision": 7, "bins": [1.0], "counts": [carried]}
        events = 5 if day == 1 else 10
        rows_of = [{**window, **place, **EVENTS, "events": events}]
        if carried:
            rows_of.append({**window, **place, **said, "absent": events - carried})
        record.insert("sketches", rows_of)
    other = {**DELTA, "model_version": "2", "window_start": START, "window_end": START + DAY}
    record.insert("sketches", [{**other, **EVENTS, "events": 7}])
    return ask


def test_absent_where_nobody_sent_it(sparse: History) -> None:
    """Flushes and whole days in which no event carried a feature have no row of it, and their events are absent all the same."""
    columns = ("model_version", "column", "events", "absent", "missing_share")
    days = [("1", "x", 10, 6, 0.6), ("1", "x", 10, 7, 0.7), ("1", "x", 10, 10, 1.0)]
    for given, wanted in (
        ({}, days),
        ({"column": "x"}, days),
        ({"column": "y"}, []),
        ({"every": "all"}, [("1", "x", 30, 23, 23 / 30)]),
        ({"least": 0.7}, days[1:]),
    ):
        found = rows(sparse, "missing_features", model=MODEL, **given)
        assert [tuple(row[column] for column in columns) for row in found] == wanted


def test_histogram_counts_events_of_windows_without_the_column(sparse: History) -> None:
    """The shares are of all events of the period, also of those in whose window nobody sent the feature."""
    found = rows(sparse, "feature_histogram", model=MODEL, column="x", model_version="1")
    assert [(row["kind"], row["count"]) for row in found] == [("bin", 7), ("absent", 23)]
    assert rows(sparse, "feature_histogram", model=MODEL, column="@events") == []


def test_histogram_of_windows_of_several_precisions(ask: History, record: Recorder) -> None:
    """All bins are as wide as the widest stored, none lies within another, and each has its own middle."""
    for day, precision, bins in ((0, 7, [1.0, 1.0078125, 1.25]), (1, 4, [1.0, 1.0625])):
        window = {**DELTA, "window_start": START + day * DAY, "window_end": START + (day + 1) * DAY}
        said = {"column": "x", "column_kind": "numeric", "precision": precision}
        record.insert(
            "sketches",
            [
                {**window, **EVENTS, "events": len(bins)},
                {**window, **said, "bins": bins, "counts": [1] * len(bins)},
            ],
        )
    found = rows(ask, "feature_histogram", model=MODEL, column="x", bits=20)
    assert [(row["bin"], row["middle"], row["count"], row["share"]) for row in found] == [
        (1.0, 1.03125, 3, 0.6),
        (1.0625, 1.09375, 1, 0.2),
        (1.25, 1.28125, 1, 0.2),
    ]


def test_new_categories(history: History, known: KnownHistory) -> None:
    """A carrier that begins to fly in April is new then, and gone when the months are swapped."""
    april, march = {"since": APRIL, "until": END}, {"reference_since": MARCH, "reference_until": APRIL}
    made = served(known)
    flown = made[(made.carrier == "UA") & (made.event_time >= APRIL)]
    named = made[made.carrier.notna() & (made.event_time >= APRIL)]
    (row,) = rows(history, "new_categories", model=MODEL, **april, **march)
    assert (row["column"], row["value"], row["change"], row["count"]) == ("carrier", "UA", "new", len(flown))
    assert row["share"] == pytest.approx(len(flown) / len(named))
    assert row["first_window"] == flown.event_time.min().floor("D")
    assert row["last_window"] == flown.event_time.max().floor("D")
    swapped = {"since": MARCH, "until": APRIL, "reference_since": APRIL, "reference_until": END}
    (row,) = rows(history, "new_categories", model=MODEL, **swapped)
    assert (row["value"], row["change"], row["count"]) == ("UA", "gone", len(flown))
    assert rows(history, "new_categories", model=MODEL, column="origin", **swapped) == []
    assert rows(history, "new_categories", model=MODEL, most=0, **swapped) == []


def test_most_drifted(history: History) -> None:
    """The last revision of each verdict counts; what could not be judged is told apart; the most drifted comes first."""
    found = rows(history, "most_drifted", model=MODEL)
    assert [
        (row["column"], row["slice"], row["windows"], row["drifted"], row["severe"], row["not_judged"])
        for row in found
    ] == [
        ("distance", "", 3, 2, 2, 0),
        ("distance", "origin=JFK", 2, 1, 1, 0),
        ("carrier", "", 3, 0, 0, 0),
        ("origin", "", 0, 0, 0, 1),
    ]
    assert (found[0]["worst_psi_excess"], found[0]["worst_window"]) == (0.31, DRIFTED + DAY)
    assert (found[0]["worst_version"], found[0]["last_drifted"]) == ("2", DRIFTED + 2 * DAY)
    assert (found[2]["drifted_share"], found[2]["last_drifted"], found[3]["drifted_share"]) == (0, None, None)
    assert [row["drifted"] for row in rows(history, "most_drifted", model=MODEL, until=DRIFTED + DAY)] == [
        0,
        0,
        0,
        0,
    ]
    assert rows(history, "most_drifted", model=MODEL, reference="previous") == []
    assert len(rows(history, "most_drifted", model=MODEL, most=1)) == 1
