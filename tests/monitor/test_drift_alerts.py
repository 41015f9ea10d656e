"""Alerts on real Kafka and ClickHouse: raised, grown worse, resolved, withdrawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from flushes import DAY, FIRST_DAY, ordinary
from monitor_road import Road, in_thread
from waiting import eventually

from stream_processors.contracts.model import Drift, Feature, Windows
from stream_processors.monitor import process

DAYS = [FIRST_DAY + (40 + place) * DAY for place in range(6)]
WARN = 0.45  # standard deviations: material, not severe


def _said(road: Road) -> list[tuple[Any, ...]]:
    return [
        (row["column"], row["state"], row["severity"], row["window_start"], row["started_at"])
        for row in road.alerts()
    ]


def test_an_alert_needs_persistence_and_ends_with_ok_alone(road: Road) -> None:
    """Two drifted days raise it, a day with too few events changes nothing, the first ordinary day resolves it."""
    road.publish(drift=Drift(severe=9.0))
    rng = np.random.default_rng(1)
    days = [
        ordinary(rng, DAYS[0]),
        ordinary(rng, DAYS[1], shift=WARN),
        ordinary(rng, DAYS[2], shift=WARN),
        ordinary(rng, DAYS[3], 50),
        ordinary(rng, DAYS[4]),
    ]
    with in_thread(process.run, road.settings):
        for day in days[:2]:
            road.flushes.flush([day])
            road.flushes.idle(3)
        road.eventually_verdicts(2, column="@model")
        eventually(road.done, within=20)
        assert road.alerts() == []
        road.flushes.flush([days[2]])
        road.flushes.idle(3)
        eventually(lambda: _said(road) == [("distance", "firing", "warn", DAYS[2], DAYS[1])], within=30)
        for day in days[3:]:
            road.flushes.flush([day])
        road.flushes.idle(3)
        eventually(lambda: len(road.alerts()) == 2, within=30)
    fired, resolved = road.alerts()
    assert _said(road)[1] == ("distance", "resolved", "warn", DAYS[4], DAYS[1])
    assert fired["alert_id"] == resolved["alert_id"]
    assert fired["owner"] == "flights@example.org"
    assert fired["summary"].startswith("distance of delays 1 drifted from training on 2013-02-12: PSI ")
    assert dict(fired["evidence"])["n"] == 600.0


def test_a_severe_change_alerts_at_once_whatever_order_its_days_come_in(road: Road) -> None:
    """A backfill may bring the later day first; the alert stands as if the days had come in order."""
    road.publish()
    rng = np.random.default_rng(2)
    later, earlier = ordinary(rng, DAYS[2], shift=2.0), ordinary(rng, DAYS[1], shift=2.0)
    with in_thread(process.run, road.settings):
        road.flushes.flush([later])
        road.flushes.idle(3)
        eventually(lambda: len(road.alerts()) == 1, within=40)
        road.flushes.flush([earlier])
        road.flushes.idle(3)
        eventually(lambda: len(road.alerts()) == 3, within=30)
    assert [(row["state"], row["started_at"]) for row in road.alerts()] == [
        ("firing", DAYS[2]),
        ("firing", DAYS[1]),
        ("withdrawn", DAYS[2]),
    ]
    (standing,) = road.standing_alerts().values()
    assert (standing["started_at"], standing["window_start"]) == (DAYS[1], DAYS[1])


def test_an_alert_is_withdrawn_when_late_events_undo_its_verdict(road: Road) -> None:
    """A day that looked drifted while half of it was missing never raised an alert, in the end."""
    road.publish()
    rng = np.random.default_rng(3)
    with in_thread(process.run, road.settings):
        road.flushes.flush([ordinary(rng, DAYS[0], 300, shift=1.5)])
        road.flushes.idle(3)
        eventually(lambda: len(road.alerts()) == 1, within=40)
        road.flushes.flush([ordinary(rng, DAYS[0], 30_000)], source=1)
        road.flushes.idle(3)
        eventually(lambda: len(road.alerts()) == 2, within=30)
    assert [row["state"] for row in road.alerts()] == ["firing", "withdrawn"]
    assert road.standing_alerts() == {}


def test_a_week_s_alert_is_withdrawn_when_late_events_let_its_days_be_judged(road: Road) -> None:
    """Days with too few events are judged as a week; once they have enough, the week's verdicts go, and its alert with them."""
    road.publish(windows=Windows(base=86400, rollups=("1w",)))
    rng = np.random.default_rng(4)
    monday, tuesday = DAYS[1], DAYS[2]
    with in_thread(process.run, road.settings):
        few = [ordinary(rng, monday, 100, shift=2.0), ordinary(rng, tuesday, 150, shift=2.0)]
        road.flushes.flush(few)
        road.flushes.idle(3)
        eventually(lambda: len(road.alerts()) == 1, within=40)
        road.flushes.flush([ordinary(rng, monday, 3_000), ordinary(rng, tuesday, 3_000)], source=1)
        road.flushes.idle(3)
        eventually(lambda: len(road.alerts()) == 2, within=30)
    assert [row["state"] for row in road.alerts()] == ["firing", "withdrawn"]
    shown = road.store.rows(
        "SELECT window_start, state, n FROM drift_v WHERE `column` = 'distance' ORDER BY 1"
    )
    assert [tuple(row.values()) for row in shown] == [(monday, "ok", 3_100), (tuesday, "ok", 3_150)]


def test_an_alert_ends_when_the_contract_switches_its_column_off(road: Road) -> None:
    """The next day is judged without the column; the alert is resolved, and says that it was not by an ordinary day."""
    road.publish()
    rng = np.random.default_rng(5)
    with in_thread(process.run, road.settings):
        road.flushes.flush([ordinary(rng, DAYS[0], shift=2.0)])
        road.flushes.idle(3)
        eventually(lambda: len(road.alerts()) == 1, within=40)
        off = {"distance": Feature(kind="numeric", precision=7, drift="off")}
        road.publish(features={**road.flushes.contract.features, **off})
        road.flushes.flush([ordinary(rng, DAYS[1], shift=2.0)])
        road.flushes.idle(3)
        eventually(lambda: len(road.alerts()) == 2, within=30)
    _, resolved = road.alerts()
    assert _said(road)[1] == ("distance", "resolved", "severe", DAYS[1], DAYS[0])
    assert resolved["owner"] == "flights@example.org"
    assert resolved["summary"].startswith(
        "distance of delays 1 is no longer judged on 2013-02-11, by its contract"
    )
