"""What a message on ``sketches`` announces, without decoding what it holds.

A delta's histograms are read from ClickHouse, never from the message; here only the fields before them are decoded. Avro writes a record's fields in
order and without lengths, so the first fields of a body are a valid body of a schema that ends there (Avro 1.11 specification, "Records").
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import fastavro

from producers.codec import Registry, read_frame
from producers.errors import Undecodable

# The first field of sketch.v1 that a heading does without, as does all that follows it.
_END_OF_HEADING = "min_event_time"


@dataclass(frozen=True, slots=True, order=True)
class ModelVersion:
    """Whose windows are judged apart: one version of a model in one environment, served or not."""

    model: str
    environment: str
    model_version: str
    served: bool


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """One partition of one incarnation of ``predictions``: Kafka's topic UUID and the partition's number."""

    topic_id: str
    partition: int


@dataclass(frozen=True, slots=True)
class DeltaHeading:
    """A delta came: events of a base window (microseconds, end exclusive) from a source, read up to ``next_offset`` there."""

    of: ModelVersion
    slice: str
    window_start: int
    window_end: int
    source: Source
    next_offset: int


@dataclass(frozen=True, slots=True)
class StretchHeading:
    """A profiler has read a source up to ``next_offset``; times in microseconds, None where no event has one."""

    source: Source
    first_offset: int
    next_offset: int
    max_event_time: int | None
    reached_end: bool


Heading = DeltaHeading | StretchHeading


def read_heading(value: bytes, registry: Registry | None = None) -> Heading | None:
    """What a message announces; None for totals and references, which change no stream of deltas.

    Raises:
        Undecodable: the frame or the heading is damaged, or the schema does not belong here.
        UnknownSchema: the frame names a schema that was never shipped.
    """
    writer, start = read_frame(value, registry)
    if writer.name not in ("sketch", "stretch"):
        raise Undecodable(f"{writer.label} does not belong on sketches")
    body = io.BytesIO(value)
    body.seek(start)
    try:
        record: Any = fastavro.schemaless_reader(body, _heading_schema(writer.text), None)
    except Exception as error:  # noqa: BLE001 - fastavro raises nearly anything at damaged bytes
        raise Undecodable(f"body does not fit {writer.label}: {type(error).__name__}") from None
    return _stretch(record) if writer.name == "stretch" else _delta(record)


def _delta(record: dict[str, Any]) -> DeltaHeading | None:
    if record["kind"] != "delta":
        return None
    return DeltaHeading(
        of=ModelVersion(record["model"], record["environment"], record["model_version"], record["served"]),
        slice=record["slice"],
        window_start=record["window_start"],
        window_end=record["window_end"],
        source=Source(record["topic_id"], record["source_partition"]),
        next_offset=record["next_offset"],
    )


def _stretch(record: dict[str, Any]) -> StretchHeading:
    return StretchHeading(
        source=Source(record["topic_id"], record["source_partition"]),
        first_offset=record["first_offset"],
        next_offset=record["next_offset"],
        max_event_time=record["max_event_time"],
        reached_end=record["reached_end"],
    )


@cache
def _heading_schema(text: str) -> Any:
    """The schema's first fields, parsed; times stay plain microseconds."""
    raw = json.loads(text)
    names = [field["name"] for field in raw["fields"]]
    end = names.index(_END_OF_HEADING) if _END_OF_HEADING in names else len(names)
    raw["fields"] = [{**field, "type": _plain(field["type"])} for field in raw["fields"][:end]]
    return fastavro.parse_schema(raw)


def _plain(kind: Any) -> Any:
    if isinstance(kind, list):
        return [_plain(branch) for branch in kind]
    if isinstance(kind, dict) and "logicalType" in kind:
        return kind["type"]
    return kind
