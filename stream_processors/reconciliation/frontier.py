"""How far stream and record have both come: per partition of ``predictions``, the end of a stretch that is wholly recorded.

Below it nothing changes any more: every message has its rows, every delta is in the table, and no delta reaches across.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from producers.settings import KafkaSettings
from stream_processors.clickhouse import Store
from stream_processors.kafka import committed_offsets, partition_counts, reader
from stream_processors.recorder.groups import recorder_group
from stream_processors.topic_ids import topic_ids

_TOPICS = ("predictions", "sketches")

# Tables of one batch are not stored at one moment, so a stretch counts only below what the recorder has committed. A topic that was made
# anew has left its old offsets behind: nothing moves there, and all of it counts.
_FRONTIER = """
    SELECT source, max(reached) AS next
    FROM (
        SELECT source, sketches_id, min(next) AS reached
        FROM (
            SELECT concat(topic_id, '/', toString(source_partition)) AS source, _topic_id AS sketches_id, _partition, max(next_offset) AS next
            FROM stretches
            WHERE (_topic_id != {sketches_id:String}
                   OR _offset < {sketches:Array(UInt64)}[1 + _partition])
              AND (topic_id != {predictions_id:String}
                   OR next_offset <= {predictions:Array(Int64)}[1 + source_partition])
            GROUP BY source, sketches_id, _partition)
        GROUP BY source, sketches_id)
    GROUP BY source
"""


@dataclass(frozen=True, slots=True)
class Frontier:
    """``next`` per source, whose name is ``<topic id>/<partition>`` as in a total's ``up_to``."""

    next: Mapping[str, int]

    def parameters(self) -> dict[str, Any]:
        """As statements bind it: a source that is not there has position 0 and offset 0."""
        return {"sources": list(self.next), "nexts": list(self.next.values())}


def frontier(store: Store, ids: Mapping[str, str], recorded: Mapping[str, Mapping[int, int]]) -> Frontier:
    """The frontier of what is recorded.

    Args:
        store: where the record is.
        ids: Kafka's UUIDs of ``predictions`` and ``sketches``.
        recorded: the recorder's committed offsets of both, by partition.
    """
    rows = store.rows(
        _FRONTIER,
        {f"{name}_id": ids[name] for name in _TOPICS} | {name: _dense(recorded[name]) for name in _TOPICS},
    )
    return Frontier({row["source"]: row["next"] for row in rows})


def recorded_frontier(store: Store, kafka: KafkaSettings) -> Frontier:
    """The frontier now, by what Kafka says of the recorder.

    Raises:
        BrokerUnavailable, StoreUnavailable: a server does not answer.
    """
    names = {name: kafka.topic(name) for name in _TOPICS}
    counts, ids = partition_counts(kafka), topic_ids(kafka, list(names.values()))
    client = reader(kafka, group_id=recorder_group(kafka))
    try:
        recorded = {
            name: committed_offsets(client, full, range(counts.get(full, 0))) for name, full in names.items()
        }
    finally:
        client.close()
    return frontier(store, {name: ids[full] for name, full in names.items()}, recorded)


def _dense(offsets: Mapping[int, int]) -> list[int]:
    return [offsets.get(partition, 0) for partition in range(max(offsets, default=-1) + 1)]
