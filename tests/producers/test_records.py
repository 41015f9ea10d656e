"""Records of the three events a producer writes, the ledger's arithmetic, and a log that does not repeat itself."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.codec import decode, encode
from producers.complaints import Complaints
from producers.errors import InvalidEvent
from producers.events import deployment_record, label_record, prediction_record
from producers.ledger import HOUR, Ledger
from producers.schema_files import newest
from producers.sink import PURGED, PURGED_IN_FLIGHT, TOO_LARGE
from producers.values import EXACT

PREDICTION: dict[str, Any] = {
    "prediction_id": "p",
    "model": "m",
    "model_version": "1",
    "environment": "e",
    "event_time": 0,
    "features": {},
}
LABEL: dict[str, Any] = {
    "label_id": "l",
    "prediction_id": "p",
    "model": "m",
    "reported_at": 0,
    "truth": "late",
}
DEPLOYMENT: dict[str, Any] = {
    "model": "m",
    "model_version": "1",
    "environment": "e",
    "role": "champion",
    "valid_from": 0,
}


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("prediction", prediction_record(**PREDICTION)),
        ("label", label_record(**LABEL)),
        ("deployment", deployment_record(**DEPLOYMENT)),
    ],
)
def test_a_record_states_every_field(name: str, record: dict[str, Any]) -> None:
    """A record has every field of its schema and no other, and encodes."""
    assert list(record) == [field["name"] for field in newest(name).parsed["fields"]]
    assert decode(encode(name, record))[0] == name


@given(
    st.dictionaries(
        st.text(), st.none() | st.floats() | st.text() | st.booleans() | st.integers(), max_size=8
    ),
    st.none() | st.floats() | st.integers(),
    st.none() | st.text() | st.booleans() | st.integers(),
)
def test_whatever_is_said_arrives_or_is_refused(
    features: dict[str, Any], score: object, decision: object
) -> None:
    """No value is lost or changed between a call and its decoded event; an integer that a double changes is refused."""
    said_all = PREDICTION | {"features": features, "score": score, "decision": decision}
    if any(type(value) is int and abs(value) > EXACT for value in [*features.values(), score]):
        with pytest.raises(InvalidEvent):
            prediction_record(**said_all)
        return
    record = decode(encode("prediction", prediction_record(**said_all)))[1]
    assert len(record["numeric_features"]) + len(record["categorical_features"]) == len(features)
    for name, said in features.items():
        if isinstance(said, str | bool):
            assert record["categorical_features"][name] == (
                str(said).lower() if isinstance(said, bool) else said
            )
        else:
            assert repr(record["numeric_features"][name]) == repr(None if said is None else float(said))
    assert repr(record["score"]) == repr(None if score is None else float(score))  # type: ignore[arg-type]  # None or number


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"truth": None}, "truth"),
        ({"truth": None, "kind": "correction"}, "truth"),
        ({"truth": {}}, "truth"),
        ({"truth_value": "x"}, "truth_value"),
        ({"kind": "guess"}, "kind"),
    ],
)
def test_a_label_says_something(said: dict[str, Any], field: str) -> None:
    """A truth or correction without a truth is refused; a retraction or void needs none."""
    with pytest.raises(InvalidEvent) as refusal:
        label_record(**{**LABEL, **said})
    assert refusal.value.field == field
    for kind in ("retraction", "void"):
        assert label_record(**{**LABEL, "truth": None, "kind": kind})["truth"] is None


def _records(ledger: Ledger, *, everything: bool = False) -> list[dict[str, Any]]:
    return list(ledger.records("p", 99, queue_limit=7, everything=everything))


def test_a_producer_with_nothing_to_say_gives_a_sign_of_life() -> None:
    """A touched ledger says its newest hour again, with the same counts."""
    ledger = Ledger()
    ledger.touch()
    assert _records(ledger) == []
    for hour in (3, 5, 4):
        ledger.tally("m", "e", "predictions", hour * HOUR).accept()
    assert len(_records(ledger)) == 3
    ledger.touch()
    (row,) = _records(ledger)
    assert (row["hour"], row["accepted"], row["queue_limit"]) == (5 * HOUR, 1, 7)


def test_the_ledger_is_cumulative_and_says_what_changed() -> None:
    """Each ledger has all counts since the start; accounts without a change are left out, until the closing one."""
    ledger = Ledger()
    first = ledger.tally("m", "e", "predictions", HOUR + 5)
    assert first is ledger.tally("m", "e", "predictions", 2 * HOUR - 1)
    first.accept(3)
    first.deliver()
    assert first.lose(TOO_LARGE) == "too_large"
    other = ledger.tally("m", "e", "predictions", 2 * HOUR)
    other.accept(2)
    other.number(7, 8)
    other.number(9, 9)
    rows = {row["hour"]: row for row in _records(ledger)}
    assert [(row["accepted"], row["delivered"], row["dropped"]) for row in rows.values()] == [
        (3, 1, {"too_large": 1}),
        (2, 0, {}),
    ]
    assert (rows[2 * HOUR]["first_sequence"], rows[2 * HOUR]["last_sequence"]) == (7, 9)
    assert _records(ledger) == []
    assert first.lose("_MSG_TIMED_OUT") == "_MSG_TIMED_OUT"
    (row,) = _records(ledger)
    assert (row["accepted"], row["failed"], row["hour"]) == (3, 1, HOUR)
    assert len(_records(ledger, everything=True)) == 2
    assert all(decode(encode("ledger", row))[0] == "ledger" for row in _records(ledger, everything=True))


def test_a_clock_that_is_set_back_makes_no_ledger_older_than_the_one_before() -> None:
    """The newest counts: after a day's jump forth and back that is still the last, and the closing one above all."""
    ledger = Ledger()
    ledger.tally("m", "e", "predictions", HOUR).accept()

    def sent_at(now: int) -> int:
        (row,) = ledger.records("p", now, queue_limit=7, everything=True)
        return int(str(row["sent_at"]))

    assert sent_at(5 * HOUR) == 5 * HOUR
    ahead = sent_at(29 * HOUR)
    assert ahead < sent_at(6 * HOUR) < sent_at(6 * HOUR) < sent_at(30 * HOUR) == 30 * HOUR


def test_before_1970_an_hour_starts_before_its_event() -> None:
    """Hours are floored, not truncated towards zero."""
    ledger = Ledger()
    ledger.tally("m", "e", "labels", -1).accept()
    (row,) = _records(ledger)
    assert row["hour"] == -HOUR


def test_a_purge_is_told_by_what_is_known() -> None:
    """What was never sent is dropped as closed; what was on the wire is of unknown fate and counted nowhere."""
    tally = Ledger().tally("m", "e", "predictions", 0)
    tally.accept(2)
    tally.lose(PURGED)
    tally.lose(PURGED_IN_FLIGHT)
    assert (tally.dropped, tally.delivered, tally.failed) == ({"closed": 1}, 0, {})


def test_complaints_are_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """The same kind is said again only after its time; another kind at once."""
    caplog.set_level(logging.WARNING)
    now = [0.0]
    complaints = Complaints(logging.getLogger("t"), every=60, clock=lambda: now[0])
    for second, kind in [(0, "a"), (1, "a"), (1, "b"), (59.9, "a"), (60, "a")]:
        now[0] = second
        complaints.say(kind, f"{kind} at {second}")
    assert caplog.messages == ["a at 0", "b at 1", "a at 60"]


def test_an_hour_is_the_schemas_hour() -> None:
    """The ledger's hour decodes to the top of the hour in UTC."""
    ledger = Ledger()
    ledger.tally("m", "e", "labels", 1_700_000_000_123_456).accept()
    (row,) = _records(ledger)
    hour: datetime = decode(encode("ledger", row))[1]["hour"]
    assert hour.isoformat() == "2023-11-14T22:00:00+00:00"
