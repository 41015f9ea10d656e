"""When the demo takes the processors for idle."""

from __future__ import annotations

from typing import Any

from hindcast.demo.progress import idle
from hindcast.local.startup import ROLES


def status(**of_one: Any) -> dict[str, Any]:
    """All processors have read everything and say so, but for what is said of the joiner."""
    done = {"lag": {"labels-0": 0}, "waiting": 0, "heartbeat_age_s": 0.4}
    return {
        "processes": [{"name": role, **done, **(of_one if role == "joiner" else {})} for role in ROLES]
        + [{"name": "kafka"}]
    }


def test_all_have_read_everything() -> None:
    """No lag, nothing waiting, fresh heartbeats."""
    assert idle(status())


def test_work_that_is_left_counts() -> None:
    """Lag, or work that waits, of a single one."""
    assert not idle(status(lag={"labels-0": 0, "labels-1": 2}))
    assert not idle(status(waiting=1))


def test_one_that_has_just_started_is_not_idle() -> None:
    """It owns no partition yet and says of none how far it is; or what it says is an old process's."""
    assert not idle(status(lag={}))
    assert not idle(status(lag=None))
    assert not idle(status(heartbeat_age_s=8.0))
    gone = status()
    gone["processes"] = [one for one in gone["processes"] if one["name"] != "joiner"]
    assert not idle(gone)
