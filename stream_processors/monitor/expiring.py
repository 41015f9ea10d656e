"""Removes base windows shorter than an hour once they are as old as their model's contract says, and their hours stand in ``rollups``.

A contract that names ``windows.keep_days`` refuses older events (`stream_processors.admission`). Windows stay a month and a day longer than that, so
that none is removed in which an event may still be counted, or of which a longest judged window, a month, may still be made anew. Only what a roll-up
counts is removed; an hour that is not rolled up waits.

An hour is marked first (``rollups.alone``): from then on it is never made anew. Its base windows are removed by a later pass, so that neither a
roll-up that was under way nor an export that was begun sees one without the other. Months of ``sketches`` hold all models, so that no part can be
dropped: rows are removed by lightweight deletes, all that a model lets go at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, time_ns

from stream_processors.clickhouse import Store
from stream_processors.contracts.effect import ContractHistory
from stream_processors.monitor.rolling_up import FIELDS, Model
from stream_processors.windows import DAY, HOUR, SECOND

# Days expire one after the other; where time was up the rest comes soon
_REST_S, _SHORT_REST_S = 600.0, 10.0
# Verdicts wait no longer than this
_SPELL_S = 2.0
# Beside what the contract says: the longest window that is judged, and a day
_MONTH_AND_DAY = 32 * DAY
_MARKED_FOR = 600 * SECOND

_ENVIRONMENTS = "SELECT DISTINCT environment FROM rollups WHERE model = {model:String}"

_START = (
    "window_start - toIntervalMicrosecond(positiveModulo(toUnixTimestamp64Micro(window_start), 3600000000))"
)

# Hours whose roll-up counts all that was recorded of them, and where the rows are that it counts; not where a base window is an hour long, which is
# in its hour and outlives it
_ROLLED_UP = f"""
    SELECT toUnixTimestamp64Micro(m.window_start) AS start, m.alone AS alone, toUnixTimestamp64Micro(any(m.rolled_at)) AS rolled_at,
        groupArrayIf(s.place, s.place != '') AS places, groupArrayIf(s.last, s.place != '') AS lasts
    FROM (
        SELECT window_start, argMax(tuple(up_to), _rolled_at).1 AS counted_to, argMax(alone, _rolled_at) AS alone, max(_rolled_at) AS rolled_at
        FROM rollups
        WHERE model = {{model:String}} AND environment = {{environment:String}} AND column = '@events' AND slice = '' AND width = 3600
          AND window_end <= fromUnixTimestamp64Micro({{before:Int64}}, 'UTC')
        GROUP BY window_start) AS m
    LEFT JOIN (
        SELECT {_START} AS hour, concat(_topic_id, '/', toString(_partition)) AS place, max(_offset) AS last,
            max(window_end >= window_start + toIntervalHour(1)) AS whole
        FROM sketches
        WHERE kind != 'reference' AND model = {{model:String}} AND environment = {{environment:String}} AND _row = 0
          AND window_end <= fromUnixTimestamp64Micro({{before:Int64}}, 'UTC') AND window_end <= hour + toIntervalHour(1)
        GROUP BY hour, place) AS s
    ON s.hour = m.window_start
    GROUP BY start, alone
    HAVING countIf(s.place != '' AND (s.whole OR s.last >= m.counted_to[s.place])) = 0 AND (NOT alone OR notEmpty(places))
    ORDER BY start
"""

# The newest counts, also where the clock of whoever made the roll-up was ahead. What was recorded when stays, as exports ask for it
_MARK = f"""
    INSERT INTO rollups ({FIELDS}, alone, _recorded_at)
    SELECT {FIELDS.replace("_rolled_at", "greatest(fromUnixTimestamp64Micro({now:Int64}, 'UTC'), r._rolled_at + toIntervalMicrosecond(1))")}, true,
        r._recorded_at
    FROM rollups AS r FINAL
    WHERE model = {{model:String}} AND environment = {{environment:String}} AND width = 3600
      AND toUnixTimestamp64Micro(window_start) IN {{starts:Array(Int64)}} AND (column = '@events') = {{events:Bool}}
"""

_REMOVE = f"""
    DELETE FROM sketches
    WHERE kind != 'reference' AND model = {{model:String}} AND environment = {{environment:String}}
      AND window_start >= fromUnixTimestamp64Micro({{first:Int64}}, 'UTC') AND window_start < fromUnixTimestamp64Micro({{last:Int64}}, 'UTC')
      AND toUnixTimestamp64Micro({_START}) IN {{starts:Array(Int64)}}
      AND window_end <= {_START} + toIntervalHour(1)
      AND has({{places:Array(String)}}, concat(_topic_id, '/', toString(_partition)))
      AND _offset <= mapFromArrays({{places:Array(String)}}, {{lasts:Array(UInt64)}})[concat(_topic_id, '/', toString(_partition))]
"""

_REMOVING = "SELECT count() FROM system.mutations WHERE database = currentDatabase() AND table = 'sketches' AND NOT is_done"


@dataclass(frozen=True, slots=True)
class Hour:
    """A rolled-up hour that may go: whether it is marked and since when (microseconds), and the last offset per place of ``sketches``."""

    start: int
    alone: bool
    rolled_at: int
    places: dict[str, int]


class Expiring:
    """Which base windows have served their time. Nothing is kept that a restart would need.

    Args:
        history: the contracts.
        clock: seconds, for the rest between two passes.
        now: microseconds.
    """

    def __init__(
        self,
        store: Store,
        history: ContractHistory,
        *,
        clock: Callable[[], float] = monotonic,
        now: Callable[[], int] = lambda: time_ns() // 1_000,
    ) -> None:
        self._store, self._history, self._clock, self._now = store, history, clock, now
        self._rested = float("-inf")

    def round(self, watermark: int | None) -> None:
        """Remove what was marked long enough ago, and mark what has expired, oldest days first, for some seconds at most.

        Args:
            watermark: microseconds; None: not known yet.
        """
        began = self._clock()
        if watermark is None or began < self._rested:
            return
        self._rested = began + _SHORT_REST_S
        for model, before in self._expired(watermark):
            hours = self._hours(model, before)
            marked_by = self._now() - _MARKED_FOR
            self._remove(model, [one for one in hours if one.alone and one.rolled_at <= marked_by])
            days: dict[int, list[int]] = defaultdict(list)
            for one in hours:
                if not one.alone:
                    days[one.start // DAY].append(one.start)
            for day in sorted(days):
                if self._clock() - began > _SPELL_S:
                    return
                self._mark(model, days[day])
        self._rested = self._clock() + _REST_S

    def _expired(self, watermark: int) -> list[tuple[Model, int]]:
        """Models and environments whose contract lets base windows go, and the midnight before which."""
        found = []
        for model in self._history.models():
            if not any(one.contract.windows.keep_days for one in self._history.published(model)):
                continue
            for row in self._store.rows(_ENVIRONMENTS, {"model": model}):
                one = self._history.applying(model, row["environment"], self._now())
                if one is not None and one.contract.windows.keep_days:
                    before = watermark - one.contract.windows.keep_days * DAY - _MONTH_AND_DAY
                    found.append(((model, row["environment"]), before - before % DAY))
        return found

    def _hours(self, model: Model, before: int) -> list[Hour]:
        """Its hours that may go, the oldest first."""
        asked = {"model": model[0], "environment": model[1], "before": before}
        return [
            Hour(
                row["start"],
                row["alone"],
                row["rolled_at"],
                dict(zip(row["places"], row["lasts"], strict=True)),
            )
            for row in self._store.rows(_ROLLED_UP, asked)
        ]

    def _mark(self, model: Model, starts: list[int]) -> None:
        # the events last, as ever: what is marked is marked whole
        for events in (False, True):
            asked = {"model": model[0], "environment": model[1], "now": self._now(), "starts": starts}
            self._store.command(_MARK, {**asked, "events": events})

    def _remove(self, model: Model, hours: list[Hour]) -> None:
        if not hours or self._store.command(_REMOVING):
            return
        places: dict[str, int] = {}
        for one in hours:
            for place, last in one.places.items():
                places[place] = max(places.get(place, 0), last)
        asked = {
            "model": model[0],
            "environment": model[1],
            "starts": [one.start for one in hours],
            "first": hours[0].start,
            "last": hours[-1].start + HOUR,
            "places": list(places),
            "lasts": list(places.values()),
        }
        # many parts may be written anew: the next pass sees whether it is done
        self._store.command(_REMOVE, asked, {"lightweight_deletes_sync": 0})
