"""What a local stack says of itself: supervisord's view of each process beside the processor's own heartbeat."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hindcast.local.supervisor import History, ProcessState

# A processor writes its heartbeat every second.
STALE_S = 10.0


def read_heartbeats(directory: Path) -> dict[str, dict[str, Any]]:
    """The newest heartbeat of each role in the directory, as the processors wrote them."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(directory.glob("*.json")):
        beat = _heartbeat(path)
        if beat and beat["at"] >= found.get(beat["role"], beat)["at"]:
            found[beat["role"]] = beat
    return found


def _heartbeat(path: Path) -> dict[str, Any] | None:
    """What a processor wrote; None for what is not ours, or was removed in between: the age of the last good one tells."""
    try:
        beat = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if isinstance(beat, dict) and isinstance(beat.get("role"), str) and isinstance(beat.get("at"), str):
        return beat
    return None


def process_status(
    process: ProcessState, history: History, beat: Mapping[str, Any] | None, log: Path, now: datetime
) -> dict[str, Any]:
    """One line of `hindcast status`: seconds, counts, and the last error without payload.

    Figures of a heartbeat that an earlier run of the process wrote are left out.
    """
    status: dict[str, Any] = {
        "name": process.name,
        "state": process.state,
        "pid": process.pid or None,
        "uptime_s": _since(process.started_at, now) if process.started_at else None,
        "restarts": max(0, history.starts - 1),
        "last_exit": history.last_exit,
        "last_exit_at": process.ended_at.isoformat() if history.last_exit and process.ended_at else "",
        "log": str(log),
    }
    if beat is None:
        return status
    status["last_error"] = beat.get("last_error", "")
    status["last_error_at"] = beat.get("last_error_at", "")
    if beat.get("pid") == process.pid:
        # supervisord waits for some seconds more before it says so
        if process.state == "starting":
            status["state"] = "running"
        lag = beat.get("lag") or {}
        status |= {
            "heartbeat_age_s": heartbeat_age(beat.get("at", ""), now),
            "events": beat.get("events", 0),
            "events_per_s": beat.get("events_per_s", 0.0),
            "batches": beat.get("batches", 0),
            "dead_letters": beat.get("dead_letters", 0),
            "held": beat.get("held", 0),
            "stage_seconds": beat.get("stage_seconds") or {},
            "lag_total": sum(lag.values()),
            "lag": lag,
            "positions": beat.get("positions") or {},
            "waiting": beat.get("waiting", 0),
            "paused": beat.get("paused") or [],
        }
    return status


def _since(started_at: datetime, now: datetime) -> float:
    """Seconds; none where the clock was set back behind the start."""
    return round(max(0.0, (now - started_at).total_seconds()), 1)


def health(status: Mapping[str, Any], *, beats: bool) -> str:
    """Empty when the process runs and, where it `beats`, its heartbeat is fresh; else what is missing."""
    # supervisord says "starting" for the first seconds of a process that is up.
    if status["state"] not in {"starting", "running"}:
        return f"{status['name']} is {status['state']}"
    if not beats:
        return ""
    age = status.get("heartbeat_age_s")
    if age is None:
        return f"{status['name']} has sent no heartbeat yet"
    return f"{status['name']}'s last heartbeat is {age:.0f} s old" if age > STALE_S else ""


def heartbeat_age(at: str, now: datetime) -> float | None:
    """Seconds between a heartbeat's time and now; None when it has none.

    One of later than now was written before the clock was set back, and not since: it shows a process that hangs as one of long ago does.
    """
    try:
        then = datetime.fromisoformat(at)
    except ValueError:
        return None
    return round(abs((now - then.astimezone(UTC)).total_seconds()), 1)
