"""Stretches of topic partitions as a condition on recorded rows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Range:
    """Offsets ``first`` (inclusive) to ``end`` (exclusive) of one partition."""

    first: int
    end: int

    @property
    def size(self) -> int:
        """How many offsets; fewer rows where messages became dead letters."""
        return max(0, self.end - self.first)


Ranges = Mapping[int, Range]


def condition(topic_id: str, ranges: Ranges) -> tuple[str, dict[str, Any]]:
    """SQL that holds for the rows of these ranges (by partition) of a topic, and its bound parameters.

    The offsets stand alone on their sides, so that the minmax index on ``_offset`` leaves older parts unread.
    """
    parts: list[str] = []
    parameters: dict[str, Any] = {"topic_id": topic_id}
    for place, (partition, one) in enumerate(sorted(ranges.items())):
        parts.append(
            f"_partition = {{p{place}:UInt32}} AND _offset >= {{first{place}:UInt64}} AND _offset < {{end{place}:UInt64}}"
        )
        parameters |= {f"p{place}": partition, f"first{place}": one.first, f"end{place}": one.end}
    return f"_topic_id = {{topic_id:String}} AND ({' OR '.join(parts) or 'false'})", parameters
