"""Avro bytes with a frame that names their schema.

Two frames are read on the same topic and told apart by the first byte: single-object encoding
(``C3 01`` + 8 bytes CRC-64-AVRO fingerprint, little-endian; Avro specification) and Confluent's
(``00`` + 4 bytes schema id, big-endian). Written is the first, or the second where a registry is configured.
"""

from __future__ import annotations

import io
from functools import cache
from typing import Any, Protocol

import fastavro

from producers.avro_writer import REFUSALS, Writer, body_writer
from producers.errors import InvalidEvent, Undecodable, UnknownSchema
from producers.schema_files import Schema, by_fingerprint, newest

SINGLE_OBJECT = b"\xc3\x01"
SINGLE_OBJECT_HEADER = 10
CONFLUENT = b"\x00"
CONFLUENT_HEADER = 5


class Registry(Protocol):
    """What the codec needs of a schema registry."""

    def id_of(self, schema: Schema) -> int:
        """The registry's id of a shipped schema, registering it if need be."""

    def schema_of(self, schema_id: int) -> Schema:
        """The shipped schema that an id stands for; raises `UnknownSchema`."""


def frame(schema: Schema, registry: Registry | None = None) -> bytes:
    """The bytes that precede a body of this schema."""
    if registry is None:
        return SINGLE_OBJECT + schema.fingerprint
    return CONFLUENT + registry.id_of(schema).to_bytes(4, "big")


def read_frame(value: bytes, registry: Registry | None = None) -> tuple[Schema, int]:
    """The writer's schema and where the body begins.

    Raises:
        Undecodable: no known frame.
        UnknownSchema: a frame of a schema that was never shipped.
    """
    if value[:2] == SINGLE_OBJECT and len(value) >= SINGLE_OBJECT_HEADER:
        mark = value[2:SINGLE_OBJECT_HEADER]
        schema = by_fingerprint().get(mark)
        if schema is None:
            raise UnknownSchema(f"fingerprint {mark.hex()}")
        return schema, SINGLE_OBJECT_HEADER
    if value[:1] == CONFLUENT and len(value) >= CONFLUENT_HEADER:
        schema_id = int.from_bytes(value[1:CONFLUENT_HEADER], "big")
        if registry is None:
            raise UnknownSchema(f"registry id {schema_id} (no schema registry is configured)")
        return registry.schema_of(schema_id), CONFLUENT_HEADER
    raise Undecodable("neither single-object nor Confluent framing")


def encode(name: str, record: dict[str, Any], registry: Registry | None = None) -> bytes:
    """A framed message of the newest version of schema ``name``.

    Raises:
        InvalidEvent: a field does not fit the schema; the message names the schema, never a value.
    """
    schema = newest(name)
    head = frame(schema, registry)
    write = _quick_writer(name)
    if write is not None:
        try:
            return head + write(record)
        except REFUSALS:
            pass  # defaults, other types and mistakes are fastavro's business
    body = io.BytesIO()
    try:
        fastavro.schemaless_writer(body, schema.parsed, record, strict_allow_default=True)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise InvalidEvent(_field_at_fault(schema, record), f"does not fit {schema.label}") from error
    return head + body.getvalue()


def decode(value: bytes, registry: Registry | None = None) -> tuple[str, dict[str, Any]]:
    """The schema's name and the record, resolved to the newest shipped version.

    Raises:
        Undecodable: the frame or the body is damaged, or bytes are left over.
        UnknownSchema: the frame names a schema that was never shipped.
    """
    writer, start = read_frame(value, registry)
    body = io.BytesIO(value)
    body.seek(start)
    try:
        record = fastavro.schemaless_reader(body, writer.parsed, newest(writer.name).parsed)
    except Exception as error:  # noqa: BLE001 - fastavro raises nearly anything at damaged bytes
        raise Undecodable(f"body does not fit {writer.label}: {type(error).__name__}") from None
    if body.tell() != len(value):
        raise Undecodable(f"{len(value) - body.tell()} bytes left over after {writer.label}")
    assert isinstance(record, dict)
    return writer.name, record


@cache
def _quick_writer(name: str) -> Writer | None:
    return body_writer(newest(name).parsed)


def _field_at_fault(schema: Schema, record: dict[str, Any]) -> str:
    known = {field["name"]: field for field in schema.parsed["fields"]}
    for name in record:
        if name not in known:
            return name
    for name, field in known.items():
        probe = fastavro.parse_schema({"type": "record", "name": "Probe", "fields": [field]})
        present = {name: record[name]} if name in record else {}
        try:
            # written, not only validated: a lone surrogate is a valid string that has no UTF-8
            fastavro.schemaless_writer(io.BytesIO(), probe, present, strict_allow_default=True)
        except Exception:  # noqa: BLE001 - whatever it is, this is the field
            return str(name)
    return schema.label
