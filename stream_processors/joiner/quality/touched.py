"""Which windows got predictions or facts, asked of the record: by ranges of offsets, or from the beginning at start."""

from __future__ import annotations

from typing import Any

from stream_processors.clickhouse import Store
from stream_processors.contracts.effect import ContractHistory
from stream_processors.joiner.quality.judging import (
    DEFAULT_HORIZON_S,
    WITHOUT_CONTRACT_WIDTH_S,
    Judged,
    judged,
)
from stream_processors.joiner.quality.windows import Stored, Window
from stream_processors.joiner.ranges import Ranges, condition

# a prediction's window is as long as the contract says that it was made under
_WINDOWS = """
SELECT
    model, environment, model_version, output, served,
    transform(toString(contract), {digests:Array(String)}, {lengths:Array(UInt32)}, {default:UInt32}) AS width_s,
    toUnixTimestamp64Micro(event_time) - toUnixTimestamp64Micro(event_time) % (toInt64(width_s) * 1000000) AS start,
    toUnixTimestamp64Micro(max({at})) AS at
FROM {table}
WHERE {where}
GROUP BY model, environment, model_version, output, served, width_s, start
"""
_STORED = """
SELECT
    model, environment, model_version, output, served, toUInt32(dateDiff('second', window_start, window_end)) AS width_s,
    toUnixTimestamp64Micro(window_start) AS start,
    toUnixTimestamp64Micro(max(q.revision)) AS revision,
    least(revision, toUnixTimestamp64Micro(argMax(q._appended_at, q.revision))) AS holds,
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
        return self._windows("predictions", "_appended_at", *condition(topic_id, ranges))

    def joined(self, topic_id: str, ranges: Ranges) -> Newest:
        """Windows of the outcomes in these ranges of ``outcomes``, with the newest append time of their facts."""
        return self._windows("outcomes", "label_appended_at", *condition(topic_id, ranges))

    def ever_predicted(self) -> Newest:
        """Windows of all predictions."""
        return self._windows("predictions", "_appended_at", "true", {})

    def ever_joined(self) -> Newest:
        """Windows of all outcomes, with the newest append time of the outcomes themselves."""
        return self._windows("outcomes", "_appended_at", "true", {})

    def stored(self) -> dict[Window, Stored]:
        """The newest revision of every window that has one."""
        # that of the newest contract: where others in the window are longer, it is measured once more and then known
        horizons = {one.digest: one.horizon_s for one in self._all()}
        found = {}
        for row in self._store.rows(_STORED):
            flags = Stored(
                row["revision"],
                row["holds"],
                row["closed"],
                row["provisional"],
                horizons.get(row["contract"], DEFAULT_HORIZON_S),
            )
            found[_window(row)] = flags
        return found

    def _windows(self, table: str, at: str, where: str, parameters: dict[str, Any]) -> Newest:
        contracts = self._all()
        lengths = {
            "digests": [one.digest for one in contracts],
            "lengths": [one.width_s for one in contracts],
            "default": WITHOUT_CONTRACT_WIDTH_S,
        }
        sql = _WINDOWS.replace("{at}", at).replace("{table}", table).replace("{where}", where)
        return {_window(row): row["at"] for row in self._store.rows(sql, {**parameters, **lengths})}

    def _all(self) -> list[Judged]:
        return judged(self._history, self._history.models())


def _window(row: dict[str, Any]) -> Window:
    return Window(**{name: row[name] for name in Window._fields})
