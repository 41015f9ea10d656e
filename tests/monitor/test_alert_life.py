"""Alerts are a function of the last verdicts in window order, however they came to be known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_processors.monitor.alert_life import (
    LEFT_OUT,
    AlertEvent,
    AlertIdentity,
    LastVerdict,
    RecordedAlert,
    alert_changes,
    alert_id,
    alert_life,
)
from stream_processors.monitor.alert_messages import summary

IDENTITY = AlertIdentity("m", "production", "1", True, "drift", "training", "distance", "")
_STATES = {
    "o": "ok",
    "d": "drifted",
    "s": "drifted",
    "i": "insufficient",
    "u": "untestable",
    "n": "no_reference",
}


def verdict(day: int, letter: str, persistence: int = 2, revision: int = 1) -> LastVerdict:
    """One day's verdict: o ok, d drifted, s severely drifted, i insufficient, u untestable, n no reference."""
    return LastVerdict(day * 10, day * 10 + 10, revision, _STATES[letter], letter == "s", persistence)


def told(letters: str, persistence: int = 2) -> list[tuple[str, str, int, int]]:
    """The life of a run of days: (state, severity, day it was said of, day it started)."""
    events = alert_life(verdict(day, letter, persistence) for day, letter in enumerate(letters))
    return [(e.state, e.severity, e.verdict.window_start // 10, e.started_at // 10) for e in events]


@pytest.mark.parametrize(
    ("letters", "persistence", "life"),
    [
        ("oooo", 2, []),
        ("odo", 2, []),
        ("odd", 2, [("firing", "warn", 2, 1)]),
        ("odddd", 2, [("firing", "warn", 2, 1)]),
        ("oddo", 2, [("firing", "warn", 2, 1), ("resolved", "warn", 3, 1)]),
        ("os", 2, [("firing", "severe", 1, 1)]),
        ("ds", 3, [("firing", "severe", 1, 0)]),
        ("ddso", 2, [("firing", "warn", 1, 0), ("firing", "severe", 2, 0), ("resolved", "severe", 3, 0)]),
        ("d", 1, [("firing", "warn", 0, 0)]),
        ("diunid", 2, [("firing", "warn", 5, 0)]),
        ("ddiun", 2, [("firing", "warn", 1, 0)]),
        ("ddoddo", 2, [("firing", "warn", 1, 0), ("resolved", "warn", 2, 0), ("firing", "warn", 4, 3), ("resolved", "warn", 5, 3)]),
    ],
)  # fmt: skip
def test_an_alert_s_life(letters: str, persistence: int, life: list[tuple[str, str, int, int]]) -> None:
    """Raised by persistence or severity, worse once, resolved by ok alone; other states change nothing."""
    assert told(letters, persistence) == life


_letters = st.text(alphabet="odsiun", max_size=12)


@given(_letters, st.randoms(use_true_random=False))
def test_the_order_in_which_verdicts_are_known_does_not_matter(letters: str, random: object) -> None:
    """A life is worked out in window order, whatever order the verdicts come in."""
    verdicts = [verdict(day, letter) for day, letter in enumerate(letters)]
    shuffled = list(verdicts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis types it as object
    assert alert_life(shuffled) == alert_life(verdicts)


def last_words(recorded: list[RecordedAlert]) -> dict[str, list[AlertEvent]]:
    """What a reader knows of each alert who lets a message replace its step and drop the steps after it; withdrawn alerts never were.

    A step that the last verdicts do not have may be left before the others: an alert that was a warning first and is severe from its start.
    """
    known: dict[str, dict[int, AlertEvent]] = {}
    for one in recorded:
        steps = known.setdefault(one.alert_id, {})
        place = 2 if one.event.state == "resolved" else int(one.event.severity == "severe")
        first = 0 if one.event.state == "withdrawn" else place
        for later in [each for each in steps if each >= first]:
            del steps[later]
        if one.event.state != "withdrawn":
            steps[place] = one.event
    return {mark: [steps[place] for place in sorted(steps)] for mark, steps in known.items() if steps}


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 7), st.sampled_from("odsi")), max_size=25))
def test_whatever_was_said_on_the_way_the_last_words_are_the_life_of_the_last_verdicts(
    revisions: list[tuple[int, str]],
) -> None:
    """Verdicts come in any order and are revised; after the last change each alert's last words are as if only the last verdicts had ever been."""
    last: dict[int, LastVerdict] = {}
    recorded: list[RecordedAlert] = []
    for revision, (day, letter) in enumerate(revisions):
        last[day] = verdict(day, letter, revision=revision)
        changes = alert_changes(IDENTITY, alert_life(last.values()), recorded)
        recorded += [RecordedAlert(event, alert_id(IDENTITY, event.started_at)) for event in changes]
    life = alert_life(last.values())
    wanted: dict[str, list[AlertEvent]] = {}
    for event in life:
        wanted.setdefault(alert_id(IDENTITY, event.started_at), []).append(event)
    words = last_words(recorded)
    assert {mark: events[-len(wanted.get(mark, events)) :] for mark, events in words.items()} == wanted
    assert alert_changes(IDENTITY, life, recorded) == [], "what was said is not said again"


def test_an_alert_that_revised_verdicts_do_not_bear_out_is_withdrawn_once() -> None:
    """It is not resolved, for it never was; and that is said once."""
    first = alert_life([verdict(0, "d"), verdict(1, "d")])
    recorded = [RecordedAlert(event, alert_id(IDENTITY, event.started_at)) for event in first]
    (withdrawn,) = alert_changes(
        IDENTITY, alert_life([verdict(0, "o", revision=2), verdict(1, "d")]), recorded
    )
    assert withdrawn == replace(first[0], state="withdrawn")
    recorded.append(RecordedAlert(withdrawn, recorded[0].alert_id))
    assert alert_changes(IDENTITY, [], recorded) == []


def test_an_alert_ends_where_a_later_contract_leaves_its_column_out_and_says_so() -> None:
    """Only a later revision tells that the column was left out since: a window judged before the contract had it changes nothing."""
    drifted = verdict(0, "s", revision=5)
    before, after = (
        replace(verdict(day, "o", revision=revision), state=LEFT_OUT) for day, revision in ((1, 4), (2, 6))
    )
    fired, resolved = alert_life([after, before, drifted])
    assert (fired.state, resolved.state, resolved.verdict) == ("firing", "resolved", after)
    assert " is no longer judged " in summary(IDENTITY, resolved)
    assert alert_life([drifted, before]) == [fired]


def test_an_alert_s_id_depends_on_all_of_its_identity_and_its_start() -> None:
    """Two alerts share an id only if they are the same."""
    ids = {alert_id(IDENTITY, 0), alert_id(IDENTITY, 10)}
    ids |= {
        alert_id(replace(IDENTITY, **{name: "x"}), 0) for name in ("model", "slice", "column", "reference")
    }
    ids.add(alert_id(replace(IDENTITY, served=False), 0))
    assert len(ids) == 7


def test_a_step_is_said_again_when_its_verdict_is_revised_and_not_otherwise() -> None:
    """A revision that changes nothing but figures brings new evidence; the steps after it follow, so that the last word stays the last."""
    days = [verdict(0, "s"), verdict(1, "o")]
    life = alert_life(days)
    recorded = [RecordedAlert(event, alert_id(IDENTITY, event.started_at)) for event in life]
    assert alert_changes(IDENTITY, life, recorded) == []
    revised = alert_life([replace(days[0], revision=2), days[1]])
    assert alert_changes(IDENTITY, revised, recorded) == revised


def test_a_closed_alert_is_not_said_to_fire_again_where_only_its_end_was_judged_again() -> None:
    """Late events in the window that ended it bring the end anew, and neither the firing nor, once more, the end."""
    days = [verdict(0, "d"), verdict(1, "d"), verdict(2, "s"), verdict(3, "o")]
    recorded = [RecordedAlert(event, alert_id(IDENTITY, event.started_at)) for event in alert_life(days)]
    for revision in (2, 3):
        life = alert_life([*days[:3], replace(days[3], revision=revision)])
        (again,) = alert_changes(IDENTITY, life, recorded)
        assert (again.state, again.verdict.revision) == ("resolved", revision)
        recorded.append(RecordedAlert(again, recorded[0].alert_id))
        assert alert_changes(IDENTITY, life, recorded) == []
    worse = alert_life([*days[:2], replace(days[2], revision=4), replace(days[3], revision=3)])
    assert alert_changes(IDENTITY, worse, recorded) == worse[1:]
