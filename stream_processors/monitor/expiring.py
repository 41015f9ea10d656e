"""Removes base windows shorter than an hour once they are as old as their model's contract says, and their hours stand in ``rollups``.

A contract that names ``windows.keep_days`` refuses older events (`stream_processors.admission`), so that once the watermark has come so much further
than a window, nothing is counted in it any more. Only what a roll-up counts is removed; what is not rolled up yet waits. Months of ``sketches`` hold
all models, so that no part can be dropped: rows are removed by lightweight deletes, a day of a model at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from time import monotonic, time_ns
from typing import Any

from stream_processors.clickhouse import Store
from stream_processors.contracts.effect import ContractHistory
from stream_processors.monitor.rolling_up import FIELDS, Model
from stream_processors.windows import DAY, HOUR

# Days expire one after the other
_REST_S = 600.0
# Verdicts wait no longer than this
_SPELL_S = 2.0

_ENVIRONMENTS = "SELECT DISTINCT environment FROM rollups WHERE model = {model:String}"

_START = (
    "window_start - toIntervalMicrosecond(positiveModulo(toUnixTimestamp64Micro(window_start), 3600000000))"
)

# Hours whose roll-up counts all that was recorded of them: where their rows are, and whether it is known that there are none left
_ROLLED_UP = f"""
    SELECT toUnixTimestamp64Micro(m.window_start) AS start, m.alone AS alone, groupArrayIf(s.place, s.place != '') AS places,
        groupArrayIf(s.last, s.place != '') AS lasts
    FROM (
        SELECT window_start, argMax(tuple(up_to), _rolled_at).1 AS counted_to, argMax(alone, _rolled_at) AS alone
        FROM rollups
        WHERE model = {{model:String}} AND environment = {{environment:String}} AND column = '@events' AND slice = '' AND width = 3600
          AND window_end <= fromUnixTimestamp64Micro({{before:Int64}}, 'UTC')
        GROUP BY window_start) AS m
    LEFT JOIN (
        SELECT {_START} AS hour, concat(_topic_id, '/', toString(_partition)) AS place, max(_offset) AS last
        FROM sketches
        WHERE kind != 'reference' AND model = {{model:String}} AND environment = {{environment:String}} AND _row = 0
          AND window_end <= fromUnixTimestamp64Micro({{before:Int64}}, 'UTC')
          AND window_end <= hour + toIntervalHour(1) AND window_end < window_start + toIntervalHour(1)
        GROUP BY hour, place) AS s
    ON s.hour = m.window_start
    GROUP BY start, alone
    HAVING countIf(s.place != '' AND s.last >= m.counted_to[s.place]) = 0 AND (NOT alone OR notEmpty(places))
    ORDER BY start
"""

_ALONE = f"""
    INSERT INTO rollups ({FIELDS}, alone)
    SELECT {FIELDS.replace("_rolled_at", "fromUnixTimestamp64Micro({rolled_at:Int64}, 'UTC') AS _rolled_at")}, true
    FROM rollups FINAL
    WHERE model = {{model:String}} AND environment = {{environment:String}} AND width = 3600
      AND toUnixTimestamp64Micro(window_start) IN {{starts:Array(Int64)}} AND (column = '@events') = {{events:Bool}}
"""

_REMOVE = f"""
    DELETE FROM sketches
    WHERE kind != 'reference' AND model = {{model:String}} AND environment = {{environment:String}}
      AND window_start >= fromUnixTimestamp64Micro({{first:Int64}}, 'UTC') AND window_start < fromUnixTimestamp64Micro({{last:Int64}}, 'UTC')
      AND toUnixTimestamp64Micro({_START}) IN {{starts:Array(Int64)}}
      AND window_end <= {_START} + toIntervalHour(1) AND window_end < window_start + toIntervalHour(1)
      AND has({{places:Array(String)}}, concat(_topic_id, '/', toString(_partition)))
      AND _offset <= mapFromArrays({{places:Array(String)}}, {{lasts:Array(UInt64)}})[concat(_topic_id, '/', toString(_partition))]
"""


class Expiring:
    """Which base windows have served their time. Nothing is kept that a restart would need.

    Args:
        history: the contracts.
        clock: seconds, for the rest between two passes.
    """

    def __init__(
        self, store: Store, history: ContractHistory, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._store, self._history, self._clock = store, history, clock
        self._rested = float("-inf")

    def round(self, watermark: int | None) -> None:
        """Remove what has expired, oldest days first, for some seconds at most.

        Args:
            watermark: microseconds; None: not known yet.
        """
        began = self._clock()
        if watermark is None or began < self._rested:
            return
        for model, before in self._expired(watermark):
            for hours in self._days(model, before):
                if self._clock() - began > _SPELL_S:
                    return
                expire(self._store, model, hours)
        self._rested = self._clock() + _REST_S

    def _expired(self, watermark: int) -> list[tuple[Model, int]]:
        """Models and environments whose contract lets base windows go, and the midnight before which."""
        found = []
        for model in self._history.models():
            if not any(one.contract.windows.keep_days for one in self._history.published(model)):
                continue
            for row in self._store.rows(_ENVIRONMENTS, {"model": model}):
                one = self._history.applying(model, row["environment"], watermark)
                if one is not None and one.contract.windows.keep_days:
                    before = watermark - one.contract.windows.keep_days * DAY
                    found.append(((model, row["environment"]), before - before % DAY))
        return found

    def _days(self, model: Model, before: int) -> list[dict[int, dict[str, int]]]:
        """Per day its hours that may go: start → last offset per place of ``sketches``."""
        asked = {"model": model[0], "environment": model[1], "before": before}
        days: dict[int, dict[int, dict[str, int]]] = defaultdict(dict)
        for row in self._store.rows(_ROLLED_UP, asked):
            days[row["start"] // DAY][row["start"]] = dict(zip(row["places"], row["lasts"], strict=True))
        return [days[day] for day in sorted(days)]


def expire(store: Store, model: Model, hours: dict[int, dict[str, int]]) -> None:
    """Remove the base windows of rolled-up hours, up to these offsets of each place of ``sketches``, and say so in their roll-ups."""
    places: dict[str, int] = {}
    for of_hour in hours.values():
        for place, last in of_hour.items():
            places[place] = max(places.get(place, 0), last)
    asked: dict[str, Any] = {
        "model": model[0],
        "environment": model[1],
        "starts": list(hours),
        "first": min(hours),
        "last": max(hours) + HOUR,
        "places": list(places),
        "lasts": list(places.values()),
        "rolled_at": time_ns() // 1_000,
    }
    # first, so that an export made in between holds roll-ups and rows, and never neither; the events last, as ever
    for events in (False, True):
        store.command(_ALONE, {**asked, "events": events})
    store.command(_REMOVE, asked)
