"""A message as the spool keeps it: what would have gone to Kafka, the account it is counted under, and a checksum. Pure."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache

from producers.avro_writer import whole_bytes

# Frozen: segments written years ago carry this very text in their header.
SCHEMA = json.dumps(
    {
        "type": "record",
        "name": "Spooled",
        "namespace": "hindcast",
        "doc": "A message that waits for Kafka.",
        "fields": [
            {"name": "stream", "type": "string", "doc": "Its topic without prefix."},
            {"name": "model", "type": "string", "doc": "The model it is counted under."},
            {"name": "environment", "type": "string", "doc": "The environment it is counted under."},
            {
                "name": "hour",
                "type": {"type": "long", "logicalType": "timestamp-micros"},
                "doc": "The hour of event time it is counted under: its start, UTC.",
            },
            {"name": "key", "type": "bytes", "doc": "Its key."},
            {"name": "value", "type": "bytes", "doc": "Its framed value."},
            {
                "name": "crc",
                "type": {"type": "fixed", "name": "Crc32", "size": 4},
                "doc": "CRC-32 of all bytes of this record before it, big-endian: container files have no checksum.",
            },
        ],
    },
    separators=(",", ":"),
)
CRC = 4
_LONGEST_LONG = 10
_crc = struct.Struct(">I").pack


@dataclass(frozen=True, slots=True)
class Spooled:
    """One encoded message as it would have gone to Kafka.

    Attributes:
        stream: its topic without prefix, such as ``predictions``.
        key: its key.
        value: its framed value; sent again byte for byte, hence with the same ids, producer id and sequence.
        model: the model it is counted under.
        environment: the environment it is counted under.
        hour: the hour of event time it is counted under: its start in µs since 1970.
    """

    stream: str
    key: bytes
    value: bytes
    model: str
    environment: str
    hour: int


def pack(message: Spooled) -> bytes:
    """The record's Avro bytes."""
    body = b"".join(
        [
            _account(message.stream, message.model, message.environment, message.hour),
            whole_bytes(len(message.key)),
            message.key,
            whole_bytes(len(message.value)),
            message.value,
        ]
    )
    return body + _crc(zlib.crc32(body))


class Unpacker:
    """Takes records apart one by one; quickly those that share their account with the one before."""

    def __init__(self) -> None:
        self._account = b""
        self._fields = ("", "", "", 0)

    def unpack(self, data: bytes, start: int) -> tuple[Spooled | None, int]:
        """The record that begins at ``start``, None if its checksum is wrong, and where the next one begins.

        Raises:
            ValueError: its lengths lead out of ``data``; where the next one begins is not known.
        """
        # its lengths are part of it, so that no other account begins with the same bytes
        known = self._account and data.startswith(self._account, start)
        after_account = start + len(self._account) if known else _behind_account(data, start)
        key, place = _bytes(data, after_account)
        value, place = _bytes(data, place)
        end = place + CRC
        if end > len(data):
            raise ValueError("cut off")
        if _crc(zlib.crc32(memoryview(data)[start:place])) != data[place:end]:
            return None, end
        if not known:
            self._fields = _account_fields(data, start)
            self._account = data[start:after_account]
        stream, model, environment, hour = self._fields
        return Spooled(stream, key, value, model, environment, hour), end


def read_long(data: bytes, place: int) -> tuple[int, int]:
    """An Avro long and the place behind it.

    Raises:
        ValueError: it is cut off, or longer than 64 bits take.
    """
    if place < len(data) and data[place] < 0x80:  # nearly every one
        return data[place] >> 1 ^ -(data[place] & 1), place + 1
    raw = shift = 0
    for byte in data[place : place + _LONGEST_LONG]:
        raw |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return raw >> 1 ^ -(raw & 1), place
        shift += 7
    raise ValueError("no Avro long")


def _bytes(data: bytes, place: int) -> tuple[bytes, int]:
    length, start = read_long(data, place)
    end = start + length
    if length < 0 or end > len(data):
        raise ValueError("cut off")
    return data[start:end], end


@lru_cache(maxsize=1024)
def _account(stream: str, model: str, environment: str, hour: int) -> bytes:
    """The fields that a whole hour's messages share."""
    texts = [text.encode() for text in (stream, model, environment)]
    return b"".join([part for text in texts for part in (whole_bytes(len(text)), text)]) + whole_bytes(hour)


def _behind_account(data: bytes, place: int) -> int:
    for _ in range(3):
        _, place = _bytes(data, place)
    return read_long(data, place)[1]


def _account_fields(data: bytes, place: int) -> tuple[str, str, str, int]:
    """What `_account` was made of; only of bytes whose checksum is right, which were text once."""
    stream, place = _bytes(data, place)
    model, place = _bytes(data, place)
    environment, place = _bytes(data, place)
    return stream.decode(), model.decode(), environment.decode(), read_long(data, place)[0]
