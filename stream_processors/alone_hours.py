"""Hours whose base windows expire, or have: what these counted stands in the hour's roll-up alone (`stream_processors.monitor.expiring`)."""

from __future__ import annotations

from collections.abc import Sequence

from stream_processors.clickhouse import Store

_ALONE = """
    SELECT toUnixTimestamp64Micro(window_start) AS start
    FROM rollups
    WHERE model = {model:String} AND environment = {environment:String} AND column = '@events' AND slice = '' AND width = 3600
      AND toUnixTimestamp64Micro(window_start) IN {starts:Array(Int64)}
    GROUP BY window_start
    HAVING argMax(alone, _rolled_at)
"""


def alone_hours(store: Store, model: str, environment: str, starts: Sequence[int]) -> set[int]:
    """Which of the hours that begin at these times (microseconds) stand alone: none of them is made anew, and no total is sent beside them."""
    asked = {"model": model, "environment": environment, "starts": list(starts)}
    return {row["start"] for row in store.rows(_ALONE, asked)}
