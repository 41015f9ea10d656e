"""Message values to Arrow, by the batch; a bad message is set apart and the rest goes on.

Shared by the profiler and the recorder, so that both take the same messages for undecodable. Decoding is pyruhvro's (Rust); it reads hostile
lengths, counts and branches safely, but lets two things pass that are closed here: text that is not UTF-8 (Arrow's own validation), and bytes
left over after the record. There are none where a record needs all of its message's bytes, which is nearly always so and cheap to compute; else
each body gets a sentinel, which must come out as the record's last field.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import cast

import fastavro
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat
import pyruhvro

from producers.codec import CONFLUENT, CONFLUENT_HEADER, SINGLE_OBJECT_HEADER, Registry, read_frame
from producers.errors import Undecodable, UnknownSchema
from producers.schema_files import Schema, newest
from stream_processors.avro_size import is_sized, least_sizes
from stream_processors.map_columns import repeated_key_rows

Positions = npt.NDArray[np.int64]

UNDECODABLE = "undecodable"
UNKNOWN_SCHEMA = "unknown_schema"

# Any 8 bytes without a period do: they can only come out as the last field if nothing was left over before them.
_SENTINEL = b"\x9chindend"
_SENTINEL_BITS = struct.unpack("<q", _SENTINEL)[0]
_SENTINEL_FIELD = {"name": "hindcast_end", "type": "double"}
# A frame that is known byte for byte is decoded as fields of its size and forgotten, which is cheaper than cutting it off each message:
# C3 01 is an int of two bytes, a fingerprint a double; 00 is a boolean, a registry's id a float.
_FRAME_FIELDS = {
    0: [],
    SINGLE_OBJECT_HEADER: [
        {"name": "hindcast_mark", "type": "int"},
        {"name": "hindcast_print", "type": "double"},
    ],
    CONFLUENT_HEADER: [
        {"name": "hindcast_mark", "type": "boolean"},
        {"name": "hindcast_id", "type": "float"},
    ],
}

_head = itemgetter(slice(SINGLE_OBJECT_HEADER))


@dataclass(frozen=True, slots=True)
class DecodedGroup:
    """The messages of one schema: ``batch`` row i is the message at ``positions[i]`` (rising, int64) of the values given."""

    schema: Schema
    positions: Positions
    batch: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class UndecodedMessage:
    """A message that no shipped schema decodes: why (``undecodable`` or ``unknown_schema``), and its fingerprint in hex where it has one."""

    position: int
    reason: str
    detail: str
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Every message given stands in exactly one group or in ``undecoded``."""

    groups: tuple[DecodedGroup, ...]
    undecoded: tuple[UndecodedMessage, ...]

    def of(self, name: str) -> DecodedGroup | None:
        """The group of schema ``name``, such as ``prediction``; None where no message was of it."""
        return next((group for group in self.groups if group.schema.name == name), None)


def decode_batch(
    values: Sequence[bytes | None], registry: Registry | None = None, *, expected: Sequence[str] | None = None
) -> Decoded:
    """Decode the values of a batch of messages; older writer schemas are resolved to the newest.

    Args:
        values: message values; None (a tombstone) is undecodable.
        registry: for Confluent framing.
        expected: names of the schemas that belong on this topic; others are undecodable here. None: any.
    """
    undecoded: list[UndecodedMessage] = []
    groups: dict[str, list[tuple[Positions, pa.RecordBatch]]] = {}
    for writer, start, positions in _by_frame(values, registry, undecoded):
        if expected is not None and writer.name not in expected:
            detail = f"{writer.label} does not belong on this topic"
            undecoded += [_undecodable(values, p, detail) for p in positions.tolist()]
            continue
        framed = values if positions.size == len(values) else [values[p] for p in positions.tolist()]
        good, batch, bad = _decode(writer, cast("Sequence[bytes]", framed), start)
        undecoded += [_undecodable(values, int(positions[p]), detail) for p, detail in bad]
        if good.size:
            groups.setdefault(writer.name, []).append((positions[good], batch))
    decoded = tuple(DecodedGroup(newest(name), *_joined(parts)) for name, parts in groups.items())
    return Decoded(decoded, tuple(sorted(undecoded, key=lambda one: one.position)))


def _undecodable(values: Sequence[bytes | None], position: int, detail: str) -> UndecodedMessage:
    value = values[position] or b""
    return UndecodedMessage(position, UNDECODABLE, detail, _fingerprint(value))


def _fingerprint(value: bytes) -> str:
    single_object = value[:2] == b"\xc3\x01" and len(value) >= SINGLE_OBJECT_HEADER
    return value[2:SINGLE_OBJECT_HEADER].hex() if single_object else ""


def _by_frame(
    values: Sequence[bytes | None], registry: Registry | None, undecoded: list[UndecodedMessage]
) -> list[tuple[Schema, int, Positions]]:
    """(writer's schema, where bodies begin, positions) for each frame; nearly always there is one."""
    places: dict[bytes, Positions] = {}
    try:
        distinct = set(map(_head, cast("Sequence[bytes]", values)))
    except TypeError:  # a tombstone
        distinct = set()
    if len(distinct) == 1:
        places[distinct.pop()] = np.arange(len(values))
    else:
        by_head: dict[bytes, list[int]] = {}
        for position, value in enumerate(values):
            head = (value or b"")[:SINGLE_OBJECT_HEADER]
            by_head.setdefault(head[:5] if head[:1] == CONFLUENT else head, []).append(position)
        places.update((head, np.array(positions)) for head, positions in by_head.items())
    found: dict[tuple[str, int], tuple[Schema, int, list[Positions]]] = {}
    for head, positions in places.items():
        try:
            writer, start = read_frame(head, registry)
        except UnknownSchema as error:
            undecoded += [
                UndecodedMessage(p, UNKNOWN_SCHEMA, str(error), _fingerprint(head))
                for p in positions.tolist()
            ]
        except Undecodable as error:
            undecoded += [UndecodedMessage(p, UNDECODABLE, str(error)) for p in positions.tolist()]
        else:
            found.setdefault((writer.label, start), (writer, start, []))[2].append(positions)
    return [(writer, start, _in_order(parts)) for writer, start, parts in found.values()]


def _in_order(parts: Sequence[Positions]) -> Positions:
    return parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts))


_Bad = list[tuple[int, str]]


def _decode(
    writer: Schema, framed: Sequence[bytes], start: int
) -> tuple[Positions, pa.RecordBatch | None, _Bad]:
    """Rows that decode, their batch (None without any), and what is wrong with the others; bodies begin at ``start``."""
    bad: _Bad = []
    places: Sequence[int] = range(len(framed))
    if writer.version != newest(writer.name).version:
        framed, places = _resolved(writer, [value[start:] for value in framed], bad)
        start = 0
    good: list[tuple[Positions, pa.RecordBatch]] = []
    _bisect(_Framed(newest(writer.name), start), framed, np.array(places, dtype=np.int64), good, bad)
    if not good:
        return np.empty(0, dtype=np.int64), None, bad
    positions, batch = _joined(good)
    repeated = repeated_key_rows(batch)
    if repeated.any():
        bad += [(int(p), "a map names one key twice") for p in positions[repeated]]
        positions, batch = positions[~repeated], batch.filter(pa.array(~repeated))
    return positions, batch, bad


def _resolved(writer: Schema, bodies: list[bytes], bad: _Bad) -> tuple[list[bytes], list[int]]:
    """Bodies of an older version written anew in the newest one, and which they are. Slow, and rare: after an upgrade."""
    reader = newest(writer.name)
    written, places = [], []
    for place, body in enumerate(bodies):
        stream, out = io.BytesIO(body), io.BytesIO()
        try:
            record = fastavro.schemaless_reader(stream, writer.parsed, reader.parsed)
            fastavro.schemaless_writer(out, reader.parsed, record)
        except Exception:  # noqa: BLE001 - fastavro raises nearly anything at damaged bytes
            bad.append((place, f"the body does not fit {writer.label}"))
            continue
        if stream.tell() != len(body):
            bad.append((place, f"bytes are left over after {writer.label}"))
            continue
        written.append(out.getvalue())
        places.append(place)
    return written, places


@dataclass(frozen=True, slots=True)
class _Framed:
    """A schema, and the size of the frame before each body of it."""

    schema: Schema
    frame: int


def _bisect(
    framed: _Framed,
    bodies: Sequence[bytes],
    places: Positions,
    good: list[tuple[Positions, pa.RecordBatch]],
    bad: _Bad,
) -> None:
    """Decode as few pieces as leave every bad body alone: one bad body of n costs about 2 log2(n) decodes of shrinking pieces."""
    pieces = [(0, len(bodies))] if bodies else []
    while pieces:
        start, end = pieces.pop()
        batch, problem = _try(framed, bodies[start:end])
        if batch is not None:
            good.append((places[start:end], batch))
        elif end - start == 1:
            bad.append((int(places[start]), problem))
        else:
            middle = (start + end) // 2
            pieces += [(middle, end), (start, middle)]


def _try(framed: _Framed, bodies: Sequence[bytes]) -> tuple[pa.RecordBatch | None, str]:
    """The bodies' batch, or None and what is wrong with at least one of them."""
    label = framed.schema.label
    try:
        batch = _read(framed, bodies) if is_sized(framed.schema.text) else None
        if batch is None or not _is_all(framed, batch, bodies):
            batch = _read_to_the_end(framed, bodies)
    except ValueError:
        return None, f"the body does not fit {label}"
    if batch is None:
        return None, f"bytes are left over after {label}"
    if not _is_utf8(batch):
        return None, f"text in {label} is not UTF-8"
    return batch, ""


def _read(framed: _Framed, bodies: Sequence[bytes], *, sentinel: bool = False) -> pa.RecordBatch:
    """The bodies' batch; what stands after each record is not looked at."""
    text = _text_with_frame(framed.schema.text, framed.frame, sentinel=sentinel)
    batch = pyruhvro.deserialize_array(bodies, text)
    return batch.select(range(len(_FRAME_FIELDS[framed.frame]), batch.num_columns))


def _is_all(framed: _Framed, batch: pa.RecordBatch, bodies: Sequence[bytes]) -> bool:
    """Whether the records surely take all bytes there are: no record takes fewer than it needs at least."""
    sizes = least_sizes(framed.schema.text, batch)
    there = np.fromiter(map(len, bodies), np.int64, len(bodies)) - framed.frame
    return bool(np.array_equal(sizes, there)) if sizes is not None else False


def _read_to_the_end(framed: _Framed, bodies: Sequence[bytes]) -> pa.RecordBatch | None:
    """The bodies' batch, however they were encoded; None where bytes are left over."""
    batch = _read(framed, [body + _SENTINEL for body in bodies], sentinel=True)
    last = batch.column(batch.num_columns - 1)
    if not (last.to_numpy().view(np.int64) == _SENTINEL_BITS).all():
        return None
    return batch.select(range(batch.num_columns - 1))


def _is_utf8(batch: pa.RecordBatch) -> bool:
    """Whether all text is; pure ASCII, which is nearly always, is seen 30 times faster than UTF-8 is validated."""
    buffers = (_text_buffers(column) for column in batch.columns)
    if all((np.frombuffer(text, dtype=np.int8).min(initial=0) >= 0) for texts in buffers for text in texts):
        return True
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _text_buffers(column: pa.Array) -> list[pa.Buffer]:
    if pat.is_string(column.type):
        text = column.buffers()[2]
        return [text] if text is not None else []
    if pat.is_map(column.type):
        return _text_buffers(column.keys) + _text_buffers(column.items)
    if pat.is_list(column.type):
        return _text_buffers(column.values)
    if pat.is_struct(column.type):
        return [
            text for place in range(column.type.num_fields) for text in _text_buffers(column.field(place))
        ]
    return []


@cache
def _text_with_frame(text: str, frame: int, *, sentinel: bool) -> str:
    raw = json.loads(text)
    after = [_SENTINEL_FIELD] if sentinel else []
    return json.dumps({**raw, "fields": [*_FRAME_FIELDS[frame], *raw["fields"], *after]})


def _joined(parts: list[tuple[Positions, pa.RecordBatch]]) -> tuple[Positions, pa.RecordBatch]:
    """Parts as one, in rising order of position."""
    if len(parts) == 1:
        return parts[0]
    positions = np.concatenate([p for p, _ in parts])
    batch = pa.concat_batches([b for _, b in parts])
    order = np.argsort(positions, kind="stable")
    if not (order[1:] > order[:-1]).all():
        positions, batch = positions[order], batch.take(pa.array(order))
    return positions, batch
