"""Asks ClickHouse what of the log it already holds: the recorder's answer to every insert whose end it did not see."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from producers.errors import StoreUnavailable
from stream_processors.clickhouse import QueryRefused, Store
from stream_processors.recorder.query_ids import is_for, query_id_start

Ints = npt.NDArray[np.int64]

# How long an insert of an earlier process may go on before it is killed, and how long a killed one may take to go.
PATIENCE_S = 5.0
GIVING_UP_S = 60.0

_HIGHEST = """
SELECT max(_offset) + 1 AS next, count() AS rows FROM {table}
WHERE _topic_id = {{topic:String}} AND _partition = {{partition:UInt32}} AND _offset >= {{first:UInt64}}
"""

# a gap is one entry, which ends where its detail says
_HIGHEST_LETTER = """
SELECT max(greatest(offset, toUInt64OrDefault(extract(detail, '^offsets [0-9]+ to ([0-9]+) '), offset))) + 1 AS next, count() AS rows
FROM dead_letters
WHERE topic_id = {topic:String} AND partition = {partition:UInt32}
"""

# A message counts as present only with all its rows; a repeat that a crash left behind is one row of its number.
_WHOLE = """
SELECT _offset AS place FROM {table}
WHERE _topic_id = {{topic:String}} AND _partition = {{partition:UInt32}} AND _offset BETWEEN {{first:UInt64}} AND {{last:UInt64}}
GROUP BY _offset HAVING uniqExact(_row) >= max(_rows)
"""


def next_unrecorded(store: Store, tables: Iterable[str], topic_id: str, partition: int, first: int) -> int:
    """The offset from ``first`` on at and after which none of these tables holds anything of the partition."""
    found = first
    for table in tables:
        row = store.rows(
            _HIGHEST.format(table=table), {"topic": topic_id, "partition": partition, "first": first}
        )[0]
        if row["rows"]:
            found = max(found, int(row["next"]))
    return found


def recorded_up_to(store: Store, tables: Iterable[str], topic_id: str, partition: int) -> int:
    """The offset after the last that these tables or the dead letters hold of the partition; 0 where they hold none."""
    row = store.rows(_HIGHEST_LETTER, {"topic": topic_id, "partition": partition})[0]
    letters = int(row["next"]) if row["rows"] else 0
    return max(letters, next_unrecorded(store, tables, topic_id, partition, 0))


def is_recorded(store: Store, tables: Iterable[str], topic_id: str) -> bool:
    """Whether any of these tables holds anything of the topic."""
    query = "SELECT 1 FROM {} WHERE _topic_id = {{topic:String}} LIMIT 1"
    return any(store.rows(query.format(table), {"topic": topic_id}) for table in tables)


def whole_offsets(store: Store, table: str, topic_id: str, partition: int, first: int, last: int) -> Ints:
    """Offsets from ``first`` to ``last``, both included, of which a table holds every row."""
    parameters = {"topic": topic_id, "partition": partition, "first": first, "last": last}
    found = store.arrow(_WHOLE.format(table=table), parameters).column("place")
    return np.asarray(found.to_numpy()).astype(np.int64)


def settle(
    store: Store,
    topic_id: str,
    partitions: Iterable[int],
    *,
    clock: Callable[[], float],
    wait: Callable[[float], object],
    patience: float = PATIENCE_S,
) -> None:
    """Return when no insert for these partitions runs any more; one that goes on for ``patience`` seconds is killed.

    ``clock`` gives seconds that only rise, ``wait`` pauses for as many.

    Raises:
        StoreUnavailable: one still runs a minute after it was killed.
    """
    wanted = set(partitions)
    began, killed = clock(), False
    while running := _running(store, topic_id, wanted):
        waited = clock() - began
        if waited > GIVING_UP_S:
            raise StoreUnavailable(f"an earlier insert still runs after {waited:.0f} s")
        if waited >= patience and not killed:
            killed = True
            _kill(store, running)
        wait(0.1)


def _running(store: Store, topic_id: str, partitions: set[int]) -> list[str]:
    start = query_id_start(store.database, topic_id)
    found = store.rows(
        "SELECT query_id AS id FROM system.processes WHERE startsWith(query_id, {start:String})",
        {"start": start},
    )
    return [row["id"] for row in found if is_for(row["id"], partitions)]


def _kill(store: Store, query_ids: list[str]) -> None:
    try:
        store.command("KILL QUERY WHERE query_id IN {ids:Array(String)} ASYNC", {"ids": query_ids})
    except QueryRefused:
        # a user without the right to kill waits for the insert's own time limit
        return
