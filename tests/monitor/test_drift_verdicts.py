"""Verdicts on real Kafka and ClickHouse: from deltas on the log to rows in the record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
from flushes import DAY, FIRST_DAY, Events, contract, ordinary
from monitor_road import Road, in_thread
from waiting import eventually

from stream_processors.contracts.model import Feature
from stream_processors.monitor import process, rounds
from stream_processors.monitor.judging import together
from stream_processors.monitor.progress import JudgedWindow

MONDAY = FIRST_DAY + 40 * DAY
TUESDAY = MONDAY + DAY


def test_a_shifted_window_is_drifted_and_an_ordinary_one_is_ok(road: Road) -> None:
    """A shift of one standard deviation is drifted and severe; a day like the reference is ok; both say what they rest on."""
    road.publish()
    rng = np.random.default_rng(1)
    with in_thread(process.run, road.settings):
        road.flushes.flush([ordinary(rng, MONDAY), ordinary(rng, TUESDAY, shift=1.0)])
        road.flushes.idle(3)
        road.eventually_verdicts(2, column="@model")
    whole = {row["window_start"]: row for row in road.verdicts(column="distance", slice="")}
    assert [whole[at]["state"] for at in (MONDAY, TUESDAY)] == ["ok", "drifted"]
    assert whole[TUESDAY]["material"] == "severe"
    assert (whole[TUESDAY]["n"], whole[TUESDAY]["reference_n"]) == (600, 25 * 600)
    assert sum(whole[TUESDAY]["counts"]) == 600
    assert not whole[TUESDAY]["assumes_independent_rows"]
    assert {row["state"] for row in road.verdicts(column="carrier")} == {"ok"}
    model = {row["window_start"]: row for row in road.verdicts(column="@model")}[TUESDAY]
    assert (model["state"], model["contributors"][0]) == ("drifted", "distance")
    assert dict(model["evidence"])["share_drifted"] == 0.5


def test_a_window_is_judged_once_and_again_when_late_events_come(road: Road) -> None:
    """Stretches alone bring no second verdict; a late delta brings one more, of a later revision and of all events."""
    road.publish()
    rng = np.random.default_rng(2)
    with in_thread(process.run, road.settings):
        road.flushes.flush([ordinary(rng, MONDAY)])
        road.flushes.idle(3)
        road.eventually_verdicts(1, column="@model")
        road.flushes.idle(4)
        eventually(road.done, within=20)
        (first,) = road.verdicts(column="distance")
        road.flushes.flush([ordinary(rng, MONDAY)], source=1)
        road.flushes.idle(3)
        road.eventually_verdicts(2, column="@model")
    _, second = road.verdicts(column="distance")
    assert second["revision"] > first["revision"]
    assert (first["n"], second["n"]) == (600, 1200)


def test_an_aborted_flush_moves_nothing(road: Road) -> None:
    """Deltas and times of an aborted transaction neither count nor close a window, though the monitor has read past them."""
    road.publish()
    rng = np.random.default_rng(3)
    noon, later = MONDAY + timedelta(hours=12), MONDAY + 3 * DAY
    with in_thread(process.run, road.settings):
        road.flushes.flush([ordinary(rng, MONDAY)], time=noon, reached_end=False)
        road.flushes.flush([ordinary(rng, MONDAY, shift=3)], time=later, reached_end=False, abort=True)
        road.flushes.flush(time=noon, reached_end=False)

        def read() -> None:
            name = road.settings.kafka.topic("sketches")
            positions = {f"{name}-{p}": end for p, end in road.flushes.ends().items()}
            assert road.heartbeat().get("positions") == positions
            assert road.heartbeat()["waiting"] == 1

        eventually(read, within=20)
        assert road.verdicts() == []
        road.flushes.flush(time=later, reached_end=False)
        road.eventually_verdicts(1, column="@model")
    (whole,) = road.verdicts(column="distance")
    assert (whole["n"], whole["state"]) == (600, "ok")


def test_small_slices_are_insufficient_and_a_slice_drifts_by_itself(road: Road) -> None:
    """Drift in one slice is found there; too few events are said to be too few; features with drift off are not judged."""
    features = {
        "distance": Feature(kind="numeric", precision=7),
        "carrier": Feature(kind="categorical", drift="off"),
    }
    road.publish(features=features)
    rng = np.random.default_rng(4)
    with in_thread(process.run, road.settings):
        road.flushes.flush(
            [
                ordinary(rng, MONDAY, 2000),
                ordinary(rng, MONDAY, 300, slice="origin=JFK", shift=2.0),
                ordinary(rng, MONDAY, 50, slice="origin=LGA"),
            ]
        )
        road.flushes.idle(3)
        road.eventually_verdicts(1, column="@model")
    by_slice = {row["slice"]: row["state"] for row in road.verdicts(column="distance")}
    assert by_slice == {"": "ok", "origin=JFK": "drifted", "origin=LGA": "no_reference"}
    assert road.verdicts(column="carrier") == []


def test_versions_and_shadows_are_judged_apart(road: Road) -> None:
    """Each version has verdicts of its own, and traffic that nobody saw has others than served traffic."""
    road.publish()
    rng = np.random.default_rng(5)
    with in_thread(process.run, road.settings):
        road.flushes.flush(
            [
                ordinary(rng, MONDAY),
                ordinary(rng, MONDAY, version="2", shift=1.0),
                ordinary(rng, MONDAY, version="2", served=False, n=150),
            ]
        )
        road.flushes.idle(3)
        road.eventually_verdicts(3, column="@model")
    found = {(row["model_version"], row["served"]): row["state"] for row in road.verdicts(column="distance")}
    assert found == {("1", True): "ok", ("2", True): "drifted", ("2", False): "insufficient"}


def test_without_a_contract_the_whole_is_told_and_nothing_is_compared(road: Road) -> None:
    """No contract, no reference: one row an hour says so, with volume and errors."""
    rng = np.random.default_rng(6)
    minute = timedelta(minutes=1)
    events = [
        Events(MONDAY + place * minute, {"x": rng.normal(size=30)}, width=minute, errors=3)
        for place in (0, 1, 61)
    ]
    with in_thread(process.run, road.settings):
        road.flushes.flush(events)
        road.flushes.idle(3)
        rows = road.eventually_verdicts(2)
    assert [(row["column"], row["state"], row["n"]) for row in rows] == [
        ("@model", "no_reference", 60),
        ("@model", "no_reference", 30),
    ]
    assert dict(rows[0]["evidence"])["error_rate"] == 0.1
    assert rows[0]["window_end"] - rows[0]["window_start"] == timedelta(hours=1)


def test_a_feature_that_no_event_carries_any_more_has_drifted(road: Road) -> None:
    """A column that went missing altogether is compared as absent, not left out."""
    road.publish()
    rng = np.random.default_rng(8)
    without = {name: values for name, values in ordinary(rng, MONDAY).columns.items() if name != "distance"}
    with in_thread(process.run, road.settings):
        road.flushes.flush([Events(MONDAY, without)])
        road.flushes.idle(3)
        road.eventually_verdicts(1, column="@model")
    (row,) = road.verdicts(column="distance")
    assert (row["state"], row["absent_rate_change"], row["excluded"]) == ("drifted", 1.0, 600)


def test_a_feature_that_changed_its_kind_in_a_window_is_judged_by_what_came_since(road: Road) -> None:
    """Events counted as numbers before the contract made them categories do not lack the feature; the others are judged."""
    road.publish()
    rng = np.random.default_rng(9)
    before = {**ordinary(rng, MONDAY).columns, "carrier": np.ones(600)}
    with in_thread(process.run, road.settings):
        road.flushes.flush([Events(MONDAY, before)])
        road.flushes.flush([ordinary(rng, MONDAY)])
        road.flushes.idle(3)
        eventually(lambda: [row["n"] for row in road.verdicts(column="@model")][-1:] == [1200], within=40)
    row = road.verdicts(column="carrier")[-1]
    assert (row["state"], row["n"], row["excluded"]) == ("ok", 600, 0)


def test_a_feature_that_is_new_in_a_contract_is_judged_by_what_came_under_it(road: Road) -> None:
    """Events that were admitted before the contract knew the feature do not lack it: the day of the change alarms nobody."""
    road.publish()
    rng = np.random.default_rng(10)
    known = road.flushes.contract
    before = {"distance": ordinary(rng, MONDAY).columns["distance"]}
    with in_thread(process.run, road.settings):
        road.flushes.contract = contract(features={"distance": known.features["distance"]})
        road.flushes.flush([Events(MONDAY, before)])
        road.flushes.contract = known
        road.flushes.flush([ordinary(rng, MONDAY)])
        road.flushes.idle(3)
        eventually(lambda: [row["n"] for row in road.verdicts(column="@model")][-1:] == [1200], within=40)
    assert road.verdicts(column="distance")[-1]["n"] == 1200
    row = road.verdicts(column="carrier")[-1]
    assert (row["state"], row["n"], row["absent_rate_change"]) == ("ok", 600, 0.0)


def test_many_windows_that_are_due_are_put_in_order_once(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    """A year of history makes thousands of windows due at once: no chunk of them is worked out from all again."""
    ordered: list[int] = []

    def counted(windows: Sequence[JudgedWindow]) -> list[list[JudgedWindow]]:
        ordered.append(len(windows))
        return together(windows)

    monkeypatch.setattr(rounds, "together", counted)
    hour = timedelta(hours=1)
    values = {"x": np.zeros(1)}
    with in_thread(process.run, road.settings):
        road.flushes.flush([Events(MONDAY + place * hour, values, width=hour) for place in range(60)])
        road.flushes.idle(3)
        road.eventually_verdicts(60)
    assert sum(ordered) == 60
