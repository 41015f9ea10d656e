"""Which windows got predictions or facts, asked of the record: by ranges of offsets, or from the beginning at start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stream_processors.clickhouse import Store
from stream_processors.contracts.effect import ContractHistory
from stream_processors.joiner.quality.judging import (
    DEFAULT_HORIZON_S,
    WITHOUT_CONTRACT_WIDTH_S,
    Judged,
    judged,
    widths,
)
from stream_processors.joiner.quality.windows import Stored, Window
from stream_processors.joiner.ranges import Ranges, condition

_WINDOW = """
    model, environment, model_version, output, served, width_s,
    toUnixTimestamp64Micro(event_time) - toUnixTimestamp64Micro(event_time) % (toInt64(width_s) * 1000000) AS start
"""
_PREDICTED = f"""
SELECT {_WINDOW}, toString(contract) AS contract, toUnixTimestamp64Micro(max(_appended_at)) AS at
FROM predictions ARRAY JOIN {{widths:Array(UInt32)}} AS width_s
WHERE {{where}}
GROUP BY model, environment, model_version, output, served, width_s, start, contract
"""
_JOINED = f"""
SELECT {_WINDOW}, toUnixTimestamp64Micro(max({{at}})) AS at
FROM outcomes ARRAY JOIN {{widths:Array(UInt32)}} AS width_s
WHERE {{where}}
GROUP BY model, environment, model_version, output, served, width_s, start
"""
_STORED = """
SELECT
    model, environment, model_version, output, served, toUInt32(dateDiff('second', window_start, window_end)) AS width_s,
    toUnixTimestamp64Micro(window_start) AS start,
    toUnixTimestamp64Micro(max(q.revision)) AS revision,
    argMax(q.closed, q.revision) AS closed,
    argMax(q.provisional, q.revision) AS provisional,
    toString(argMax(q.contract, q.revision)) AS contract
FROM quality AS q
WHERE slice = ''
GROUP BY model, environment, model_version, output, served, window_start, window_end
"""

Newest = dict[Window, int]


class Touched:
    """Asks the record about windows. Every answer gives a window with the newest append time (microseconds) of what it got."""

    def __init__(self, store: Store, history: ContractHistory) -> None:
        self._store, self._history = store, history

    def predicted(self, topic_id: str, ranges: Ranges) -> Newest:
        """Windows of the predictions in these ranges."""
        return self._predicted(*condition(topic_id, ranges))

    def joined(self, topic_id: str, ranges: Ranges) -> Newest:
        """Windows of the outcomes in these ranges of ``outcomes``, with the newest append time of their facts."""
        where, parameters = condition(topic_id, ranges)
        return self._joined(where, parameters, at="label_appended_at")

    def ever_predicted(self) -> Newest:
        """Windows of all predictions."""
        return self._predicted("true", {})

    def ever_joined(self) -> Newest:
        """Windows of all outcomes, with the newest append time of the outcomes themselves."""
        return self._joined("true", {}, at="_appended_at")

    def stored(self) -> dict[Window, Stored]:
        """The newest revision of every window that has one."""
        horizons = {one.digest: one.horizon_s for one in self._all()}
        found = {}
        for row in self._store.rows(_STORED):
            flags = Stored(
                row["revision"],
                row["closed"],
                row["provisional"],
                horizons.get(row["contract"], DEFAULT_HORIZON_S),
            )
            found[_window(row)] = flags
        return found

    def _predicted(self, where: str, parameters: dict[str, Any]) -> Newest:
        lengths = {one.digest: one.width_s for one in self._all()}
        found: Newest = {}
        for row in self._rows(_PREDICTED.replace("{where}", where), parameters):
            # a prediction's window is as long as its own contract says
            if row["width_s"] == lengths.get(row["contract"], WITHOUT_CONTRACT_WIDTH_S):
                window = _window(row)
                found[window] = max(row["at"], found.get(window, 0))
        return found

    def _joined(self, where: str, parameters: dict[str, Any], *, at: str) -> Newest:
        sql = _JOINED.replace("{where}", where).replace("{at}", at)
        rows = list(self._rows(sql, parameters))
        # outcomes do not say under which contract their prediction was made: any of its model's may be the one
        lengths = {model: widths(judged(self._history, [model])) for model in {row["model"] for row in rows}}
        return {_window(row): row["at"] for row in rows if row["width_s"] in lengths[row["model"]]}

    def _rows(self, sql: str, parameters: dict[str, Any]) -> Iterable[dict[str, Any]]:
        return self._store.rows(sql, {**parameters, "widths": sorted(widths(self._all()))})

    def _all(self) -> list[Judged]:
        return judged(self._history, self._history.models())


def _window(row: dict[str, Any]) -> Window:
    return Window(**{name: row[name] for name in Window._fields})
