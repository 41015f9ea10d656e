"""Names of the recorder's inserts, from which any later recorder knows which partitions an insert is for. Pure."""

from __future__ import annotations

from collections.abc import Iterable

_START = "hindcast-recorder"


def query_id(database: str, topic_id: str, partitions: Iterable[int], unique: str) -> str:
    """The query id of an insert of messages of these partitions: ``unique`` makes it the only one."""
    numbers = ",".join(str(partition) for partition in sorted(set(partitions)))
    return f"{_START}/{database}/{topic_id}/{numbers}/{unique}"


def query_id_start(database: str, topic_id: str) -> str:
    """How the query ids of all inserts of a topic begin."""
    return f"{_START}/{database}/{topic_id}/"


def is_for(query_id: str, partitions: Iterable[int]) -> bool:
    """Whether an insert is for any of these partitions of its topic."""
    numbers = query_id.split("/")[3].split(",")
    return not {str(partition) for partition in partitions}.isdisjoint(numbers)
