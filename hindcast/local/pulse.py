"""`python -m hindcast.local.pulse ROLE`: exit code 0 while a processor's heartbeat is fresh; a container's health check."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from hindcast.local.status import STALE_S, heartbeat_age, read_heartbeats


def main(role: str, directory: Path, now: datetime) -> int:
    """0 when the newest heartbeat of the role in the directory is at most ten seconds old, else 1 and a line."""
    beat = read_heartbeats(directory).get(role)
    age = heartbeat_age(beat.get("at", ""), now) if beat else None
    if age is not None and age <= STALE_S:
        return 0
    sys.stderr.write(f"{role}: {'no heartbeat' if age is None else f'last heartbeat {age:.0f} s ago'}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], Path(os.environ["HINDCAST_STATUS_DIR"]), datetime.now(UTC)))
