"""Alerts as they follow from the record alone: verdicts written by hand, what was said kept as a recorder would keep it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flushes import DAY, FIRST_DAY, MODEL, contract
from recorded_rows import Recorder, migrated_record

from stream_processors.contracts.model import Feature
from stream_processors.monitor.alert_life import alert_changes, alert_life, window_place
from stream_processors.monitor.alert_messages import alert_record
from stream_processors.monitor.record_alerts import alert_spans

MONDAY = FIRST_DAY + 41 * DAY
X_AND_Y = {"x": Feature(kind="numeric"), "y": Feature(kind="numeric")}
TRAINING = {"training": "abc"}
CONTRACTS = {
    "c1": contract(features=X_AND_Y, references=TRAINING),
    "off": contract(features={**X_AND_Y, "x": Feature(kind="numeric", drift="off")}, references=TRAINING),
    "no x": contract(features={"y": Feature(kind="numeric")}, references=TRAINING),
    "no slices": contract(features=X_AND_Y, slices=(), references=TRAINING),
    "no reference": contract(features=X_AND_Y),
}
STATES = {
    "o": "ok",
    "d": "drifted",
    "s": "drifted",
    "i": "insufficient",
    "c": "untestable",
    "u": "untestable",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


class Verdicts:
    """One model version's verdicts; days are counted from a Monday."""

    def __init__(self, record: Recorder) -> None:
        self._record = record
        self._revision = 0
        self._said = 0

    def judge(self, day: int, columns: Mapping[str, str], *, days: int = 1, under: str = "c1") -> None:
        """Judge a window anew: its columns (and slices, "x origin=JFK"), each by a letter (o ok, d drifted, s severely, i insufficient, c constant like the reference, u another untestable), then the whole."""
        self._revision += 1
        window = {
            "model": MODEL,
            "model_version": "1",
            "environment": "production",
            "served": True,
            "reference": "training",
            "window_start": MONDAY + day * DAY,
            "window_end": MONDAY + (day + days) * DAY,
            "revision": self._revision,
            "complete": True,
            "contract": under,
        }
        rows: list[dict[str, Any]] = [
            {
                **window,
                "column": column.partition(" ")[0],
                "slice": column.partition(" ")[2],
                "state": STATES[letter],
                "material": {"s": "severe", "d": "warn"}.get(letter, "none"),
                "psi": {"c": 0.0, "u": 1.5}.get(letter),
            }
            for column, letter in columns.items()
        ]
        self._record.insert("drift", [*rows, {**window, "column": "@model", "state": "ok"}])

    def alerts(self, since: int = 0) -> list[tuple[str, str, int, int]]:
        """Say what has changed since a day: (column, state, day it is said of, day it started). All of it is recorded."""
        place = window_place(_micros(MONDAY + since * DAY), _micros(MONDAY + (since + 1) * DAY))
        spans = alert_spans(self._record.store, MODEL, "production", place, CONTRACTS)
        told = []
        for identity, span in sorted(spans.items()):
            for event in alert_changes(identity, alert_life(span.verdicts), span.recorded):
                self._say(alert_record(identity, event, None))
                told.append(
                    (
                        identity.column,
                        event.state,
                        _day(event.verdict.window_start),
                        _day(event.started_at),
                    )
                )
        return told

    def _say(self, message: dict[str, Any]) -> None:
        self._said += 1
        moments = {
            name: _EPOCH + timedelta(microseconds=message[name])
            for name in ("started_at", "window_start", "window_end")
        }
        appended = MONDAY + timedelta(seconds=self._said)
        self._record.insert("alerts", [{**message, **moments, "_appended_at": appended}])


def _day(moment: int) -> int:
    return (_EPOCH + timedelta(microseconds=moment) - MONDAY) // DAY


@pytest.fixture(scope="module")
def recorder(clickhouse: str) -> Iterator[Recorder]:
    """A migrated database of this file's own."""
    with migrated_record(clickhouse) as made:
        yield made


@pytest.fixture
def verdicts(recorder: Recorder) -> Iterator[Verdicts]:
    """A model without a verdict."""
    yield Verdicts(recorder)
    recorder.clear()


def test_an_alert_of_a_week_ends_when_its_days_are_judged_instead(verdicts: Verdicts) -> None:
    """Late events made every day large enough: the week's last revision judges no column, so its alert is withdrawn."""
    verdicts.judge(0, {"x": "i", "y": "i"})
    verdicts.judge(1, {"x": "i", "y": "i"})
    verdicts.judge(0, {"x": "s", "y": "o"}, days=7)
    assert verdicts.alerts() == [("x", "firing", 0, 0)]
    verdicts.judge(0, {"x": "o", "y": "o"})
    verdicts.judge(1, {"x": "o", "y": "o"})
    verdicts.judge(0, {}, days=7)
    assert verdicts.alerts() == [("x", "withdrawn", 0, 0)]
    assert verdicts.alerts() == []


def test_an_alert_of_a_constant_ends_when_the_column_is_that_constant_again(verdicts: Verdicts) -> None:
    """Nothing can be tested then, and nothing has changed: the alert would stand for ever. Untestable otherwise says nothing."""
    for day, letter in enumerate("csuc"):
        verdicts.judge(day, {"x": letter})
    assert verdicts.alerts() == [("x", "firing", 1, 1), ("x", "resolved", 3, 1)]


def test_windows_that_say_nothing_after_an_ok_touch_no_earlier_alert(verdicts: Verdicts) -> None:
    """An alert that was resolved stays resolved when the next day has too few events."""
    verdicts.judge(0, {"x": "s"})
    verdicts.judge(1, {"x": "o"})
    assert verdicts.alerts() == [("x", "firing", 0, 0), ("x", "resolved", 1, 0)]
    verdicts.judge(2, {"x": "i"})
    assert verdicts.alerts(since=2) == []


@pytest.mark.parametrize(
    ("column", "under"),
    [("x", "off"), ("x", "no x"), ("x origin=JFK", "no slices"), ("x", "no reference")],
)
def test_an_alert_ends_when_a_later_contract_has_its_column_or_slice_judged_no_more(
    verdicts: Verdicts, column: str, under: str
) -> None:
    """Nothing would ever resolve it; the first window judged without it does, once."""
    verdicts.judge(0, {column: "s"})
    assert verdicts.alerts() == [("x", "firing", 0, 0)]
    verdicts.judge(1, {}, under=under)
    assert verdicts.alerts(since=1) == [("x", "resolved", 1, 0)]
    verdicts.judge(2, {}, under=under)
    assert verdicts.alerts(since=2) == []
    verdicts.judge(3, {column: "s"})
    assert verdicts.alerts(since=3) == [("x", "firing", 3, 3)]


def test_an_alert_stands_where_a_later_window_merely_lacks_its_slice_or_was_judged_before_the_contract(
    verdicts: Verdicts,
) -> None:
    """A slice without events in a window, and a later day judged under an earlier contract without the column, say nothing."""
    verdicts.judge(1, {}, under="no x")
    verdicts.judge(0, {"x": "s", "x origin=@other": "s"})
    assert verdicts.alerts() == [("x", "firing", 0, 0), ("x", "firing", 0, 0)]
    verdicts.judge(2, {"x": "s"})
    assert verdicts.alerts(since=2) == []


def test_a_drifted_day_and_the_week_around_it_are_no_two_drifted_windows(verdicts: Verdicts) -> None:
    """One drifted day is one, though the other days had too few events and the week was judged too; a second drifted day makes two."""
    verdicts.judge(0, {"x": "d"})
    for day in range(1, 7):
        verdicts.judge(day, {"x": "i"})
    verdicts.judge(0, {"x": "d"}, days=7)
    assert verdicts.alerts() == []
    verdicts.judge(7, {"x": "d"})
    assert verdicts.alerts(since=7) == [("x", "firing", 7, 0)]


@pytest.mark.parametrize("judged", [0, 3, 6])
def test_a_week_of_which_a_day_was_judged_neither_raises_nor_resolves(
    verdicts: Verdicts, judged: int
) -> None:
    """Whichever day it was; and what is worked out later, from the days after the week alone, agrees."""
    verdicts.judge(judged, {"x": "s", "y": "o"})
    assert verdicts.alerts() == [("x", "firing", judged, judged)]
    verdicts.judge(0, {"x": "o", "y": "s"}, days=7)
    assert verdicts.alerts() == []
    verdicts.judge(7, {"x": "o", "y": "d"})
    assert verdicts.alerts(since=7) == [("x", "resolved", 7, judged)]


def test_a_resolved_alert_is_not_opened_again_by_the_week_around_it(verdicts: Verdicts) -> None:
    """Its day drifted and the next was ok: the week holds both and says nothing more."""
    verdicts.judge(0, {"x": "s"})
    verdicts.judge(1, {"x": "o"})
    assert [told[1] for told in verdicts.alerts()] == ["firing", "resolved"]
    verdicts.judge(2, {"x": "i"})
    verdicts.judge(0, {"x": "s"}, days=7)
    assert verdicts.alerts() == verdicts.alerts(since=7) == []


def test_weeks_without_a_judged_day_count(verdicts: Verdicts) -> None:
    """Few events a day: two drifted weeks raise an alert."""
    for week in range(2):
        for day in range(7):
            verdicts.judge(7 * week + day, {"x": "i"})
        verdicts.judge(7 * week, {"x": "d"}, days=7)
    assert verdicts.alerts() == [("x", "firing", 7, 0)]
