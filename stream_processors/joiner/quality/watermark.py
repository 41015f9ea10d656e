"""How far event time has come, from what the profilers say they have read (table ``stretches``)."""

from __future__ import annotations

from stream_processors.clickhouse import Store
from stream_processors.joiner.micros import SECOND

# before any event: no window has closed
NEVER = -(1 << 62)
# an empty stretch that reached the log's end sets its partition's time to its append time less this
_IDLE_S = 10

# Each stretch stands once in every partition of sketches; a maximum needs only one of them.
_SQL = """
SELECT
    source_partition,
    max(greatest(
        ifNull(toUnixTimestamp64Micro(max_event_time), {never:Int64}),
        if(reached_end AND next_offset = first_offset, toUnixTimestamp64Micro(_appended_at) - {idle:Int64}, {never:Int64})
    )) AS at,
    max(_offset) AS last_offset
FROM stretches
WHERE _partition = 0 AND topic_id = {topic_id:String} AND _offset >= {first:UInt64}
GROUP BY source_partition
"""


class Watermark:
    """The least event time that all partitions of ``predictions`` have reached; it never goes back.

    Only what was recorded since the last question is read.
    """

    def __init__(self, store: Store, topic_id: str, partitions: int) -> None:
        self._store, self._topic_id = store, topic_id
        self._at = dict.fromkeys(range(partitions), NEVER)
        self._first = 0

    def now(self) -> int:
        """Microseconds since 1970; `NEVER` while a partition has not been read by a profiler.

        Raises:
            StoreUnavailable: ask again.
        """
        parameters = {
            "never": NEVER,
            "idle": _IDLE_S * SECOND,
            "topic_id": self._topic_id,
            "first": self._first,
        }
        for row in self._store.rows(_SQL, parameters):
            partition = row["source_partition"]
            self._at[partition] = max(self._at.get(partition, NEVER), row["at"])
            self._first = max(self._first, row["last_offset"])
        return min(self._at.values())
