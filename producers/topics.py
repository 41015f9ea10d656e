"""The topics as data (``schemas/topics.json``): what each holds, for how long, who writes and reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from producers.schema_files import schema_directory


@dataclass(frozen=True)
class Topic:
    """One topic.

    Attributes:
        name: without the prefix.
        key: what its messages are keyed by; composite keys are JSON arrays.
        values: labels of the schemas its values have.
        retention_days: None for ever.
        max_message_bytes: None for the broker's limit.
    """

    name: str
    key: str
    values: tuple[str, ...]
    retention_days: int | None
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]
    max_message_bytes: int | None = None

    def configuration(self) -> dict[str, str]:
        """The topic's Kafka settings. Append time is the broker's, because known_at rests on it."""
        kept = -1 if self.retention_days is None else self.retention_days * 86_400_000
        limit = {"max.message.bytes": str(self.max_message_bytes)} if self.max_message_bytes else {}
        return {
            "cleanup.policy": "delete",
            "message.timestamp.type": "LogAppendTime",
            "retention.ms": str(kept),
            "retention.bytes": "-1",
            **limit,
        }


def _table() -> dict[str, object]:
    table: dict[str, object] = json.loads((schema_directory() / "topics.json").read_text(encoding="utf-8"))
    return table


def default_partitions() -> int:
    """How many partitions each topic is created with unless configured."""
    partitions = _table()["partitions"]
    assert isinstance(partitions, int)
    return partitions


@cache
def topics() -> dict[str, Topic]:
    """Every topic by its name without prefix."""
    rows = _table()["topics"]
    assert isinstance(rows, list)
    return {
        row["name"]: Topic(
            row["name"],
            row["key"],
            tuple(row["values"]),
            row["retention_days"],
            tuple(row["written_by"]),
            tuple(row["read_by"]),
            row.get("max_message_bytes"),
        )
        for row in rows
    }
