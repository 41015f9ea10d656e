"""Verdicts on real Kafka and ClickHouse: from deltas on the log to rows in the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from conftest import Road, in_thread
from flushes import DAY, FIRST_DAY, Events, ordinary

from stream_processors.monitor import process

Wait = Callable[..., list[dict[str, Any]]]


def test_a_shifted_window_is_drifted_and_an_ordinary_one_is_ok(road: Road, eventually_verdicts: Wait) -> None:
    """A shift of one standard deviation is drifted and severe; a day like the reference is ok; both say what they rest on."""
    road.publish()
    rng = np.random.default_rng(1)
    day, next_day = FIRST_DAY + 40 * DAY, FIRST_DAY + 41 * DAY
    with in_thread(process.run, road.settings):
        road.flushes.flush([ordinary(rng, day), ordinary(rng, next_day, shift=1.0)])
        road.flushes.idle(3)
        eventually_verdicts(2, column="@model")
    whole = {row["window_start"]: row for row in road.verdicts(column="distance", slice="")}
    assert [whole[at]["state"] for at in (day, next_day)] == ["ok", "drifted"]
    assert whole[next_day]["material"] == "severe"
    assert whole[next_day]["n"] == 600
    assert whole[next_day]["reference_n"] == 25 * 600
    assert not whole[next_day]["assumes_independent_rows"]
    assert {row["state"] for row in road.verdicts(column="carrier")} == {"ok"}
    model = {row["window_start"]: row for row in road.verdicts(column="@model")}[next_day]
    assert (model["state"], model["contributors"][0]) == ("drifted", "distance")
