"""A monitor that is killed says in the end what one says that was left alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from flushes import DAY, FIRST_DAY, MODEL, Events, Flushes, ordinary
from kafka_topics import make_topic_anew
from monitor_road import MonitorProcess, Road
from waiting import eventually

from stream_processors.contracts.model import Drift

DAYS = [FIRST_DAY + (40 + place) * DAY for place in range(8)]
# per flush: (day, events, shift in standard deviations, source); days come late, twice and out of order
STORY = [
    [(0, 600, 0.0, 0), (1, 600, 0.5, 0)],
    [(2, 600, 0.5, 1)],
    [(3, 400, 1.5, 0)],
    [(1, 300, 0.5, 1)],
    [(4, 600, 0.0, 0), (5, 80, 0.0, 0)],
    [(3, 9000, 0.0, 1)],
    [(6, 600, 2.0, 0)],
    [(7, 600, 0.0, 1), (0, 50, 0.0, 1)],
]
_LEFT_OUT = {"revision"}


def _tell(road: Road, disturb: Callable[[int], None], model: str = MODEL) -> None:
    """The story, with something done to the monitor after each flush."""
    road.publish(drift=Drift(severe=0.9), model=model)
    rng = np.random.default_rng(11)
    for step, flush in enumerate(STORY):
        source = flush[0][3]
        events: list[Events] = [
            ordinary(rng, DAYS[day], n, shift=shift, model=model) for day, n, shift, _ in flush
        ]
        road.flushes.flush(events, source=source)
        disturb(step)
        road.flushes.idle(2)
    road.flushes.idle(2)
    eventually(road.done, within=60)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Without what may differ: positions, clocks, revisions; floats to nine digits."""

    def value(one: Any) -> Any:
        if isinstance(one, float):
            return round(one, 9) if math.isfinite(one) and abs(one) > 1e-9 else 0.0
        return [value(part) for part in one] if isinstance(one, list | tuple) else one

    return {
        name: value(one) for name, one in row.items() if not name.startswith("_") and name not in _LEFT_OUT
    }


def _last_verdicts(road: Road) -> dict[tuple[Any, ...], dict[str, Any]]:
    identity = (
        "model",
        "model_version",
        "served",
        "reference",
        "column",
        "slice",
        "window_start",
        "window_end",
    )
    rows = sorted(road.verdicts(), key=lambda row: row["revision"])
    return {tuple(row[name] for name in identity): _plain(row) for row in rows}


def _alerts(road: Road) -> dict[str, dict[str, Any]]:
    return {mark: _plain(row) for mark, row in road.standing_alerts().items()}


def _end_with_equal_alerts(road: Road, twin: Road) -> None:
    """What was said last may have yet to reach the record."""

    def equal() -> None:
        assert _alerts(road) == _alerts(twin)

    eventually(equal, within=15)


def test_the_last_word_is_the_same_whenever_the_monitor_is_killed(road: Road, twin: Road) -> None:
    """Killed at every other flush, at once and after its first words, the monitor ends with the verdicts and alerts of one left alone."""

    def kill(step: int) -> None:
        if step % 2:
            return
        if step % 4:
            said = len(road.verdicts())
            road.flushes.idle(2)
            eventually(lambda: len(road.verdicts()) > said, within=30)
        monitor.kill()

    with MonitorProcess(twin):
        _tell(twin, lambda _: None)
    with MonitorProcess(road) as monitor:
        _tell(road, kill)
    assert len(_last_verdicts(twin)) == 8 * 3
    assert _last_verdicts(road) == _last_verdicts(twin)
    assert {row["state"] for row in _alerts(twin).values()} == {"resolved"}, "the story has alerts that end"
    _end_with_equal_alerts(road, twin)


def test_predictions_made_anew_are_judged_without_a_restart(road: Road) -> None:
    """The new topic's partitions are waited for, and those of the deleted one no longer, which would hold every window back."""
    wanted = road.publish(drift=Drift(severe=0.9))
    rng = np.random.default_rng(5)
    with MonitorProcess(road):
        road.flushes.flush([ordinary(rng, DAYS[0])])
        road.flushes.idle(2)
        road.eventually_verdicts(3, window_start=DAYS[0])
        make_topic_anew(road.settings.kafka, "predictions", partitions=2)
        fresh = Flushes(road.settings.kafka, wanted)
        assert fresh.topic_id != road.flushes.topic_id
        fresh.flush([ordinary(rng, DAYS[1])], source=1)
        fresh.idle(2)
        eventually(lambda: fresh.idle() or len(road.verdicts(window_start=DAYS[1])) == 3, within=60)


@pytest.mark.soak
def test_thirty_kills_at_any_moment_change_no_last_word(road: Road, twin: Road) -> None:
    """At once, after a few messages, after a verdict, after an alert: whenever it is killed, its last words are those of one left alone."""
    moments = np.random.default_rng(3)
    models = [f"model-{number}" for number in range(4)]

    def kill(_: int) -> None:
        moment = moments.integers(4)
        events, verdicts, alerts = road.heartbeat().get("events", 0), len(road.verdicts()), len(road.alerts())
        road.flushes.idle(int(moments.integers(3)))
        reached: list[Callable[[], bool]] = [
            lambda: True,
            lambda: road.heartbeat().get("events", 0) > events,
            lambda: len(road.verdicts()) > verdicts,
            lambda: len(road.alerts()) > alerts,
        ]
        with suppress(AssertionError):
            eventually(reached[moment], within=8)
        monitor.kill()

    with MonitorProcess(twin):
        for model in models:
            _tell(twin, lambda _: None, model)
    with MonitorProcess(road) as monitor:
        for model in models:
            _tell(road, kill, model)
    assert len(_last_verdicts(twin)) == len(models) * 8 * 3
    assert _last_verdicts(road) == _last_verdicts(twin)
    _end_with_equal_alerts(road, twin)
