"""When the demo takes the processors for idle, and what it says where they never are."""

from __future__ import annotations

from typing import Any

from hindcast.demo.progress import REST_S, Rest, busy, complaint
from hindcast.local.startup import ROLES


def status(**of_one: Any) -> dict[str, Any]:
    """All processors have read everything and say so, but for what is said of the joiner."""
    done = {"lag": {"labels-0": 0}, "waiting": 0, "heartbeat_age_s": 0.4, "events": 7}
    return {
        "processes": [{"name": role, **done, **(of_one if role == "joiner" else {})} for role in ROLES]
        + [{"name": "kafka"}]
    }


def test_all_have_read_everything() -> None:
    """No lag and nothing waiting, said again by each some time after all had it."""
    rest = Rest()
    assert not rest.begun(status(), 100.0)
    assert not rest.begun(status(), 100.0 + REST_S)
    assert rest.begun(status(), 100.5 + REST_S)


def test_work_that_is_left_counts() -> None:
    """Lag, or work that waits, of a single one; and the rest begins anew after it."""
    assert busy(status(lag={"labels-0": 0, "labels-1": 2})) == {"joiner": "2 to read, 0 waiting"}
    assert busy(status(waiting=1)) == {"joiner": "0 to read, 1 waiting"}
    rest = Rest()
    rest.begun(status(), 100.0)
    assert not rest.begun(status(waiting=1), 110.0)
    assert not rest.begun(status(), 110.5)
    assert rest.begun(status(), 113.5)


def test_one_that_has_just_started_is_not_idle() -> None:
    """It owns no partition yet and says of none how far it is; or it is not there."""
    assert busy(status(lag={})) == busy(status(lag=None)) == {"joiner": "has not begun"}
    gone = status()
    gone["processes"] = [one for one in gone["processes"] if one["name"] != "joiner"]
    assert busy(gone) == {"joiner": "has not begun"}


def test_an_old_heartbeat_is_waited_for_and_takes_nothing_back() -> None:
    """On a busy machine some heartbeat is always seconds old: the demo would never end if that alone began the wait anew."""
    rest = Rest()
    rest.begun(status(), 100.0)
    assert not rest.begun(status(heartbeat_age_s=8.0), 105.0)
    assert rest.begun(status(heartbeat_age_s=2.9), 105.0)


def test_a_stall_says_what_is_missing_and_who_is_behind() -> None:
    """Stages without their end, work that is left, and the last error."""
    text = complaint(status(waiting=3, last_error="no answer"), ["recorded: 5 of 6"])
    assert text == "recorded: 5 of 6; joiner: 0 to read, 3 waiting; joiner: no answer"
