"""Decoding: a batch of message values becomes Arrow, and a bad message harms nobody but itself."""

from __future__ import annotations

import io
import json
import random
from datetime import UTC, datetime
from typing import Any

import fastavro
import pytest

from producers.codec import SINGLE_OBJECT, SINGLE_OBJECT_HEADER, encode, frame
from producers.schema_files import Schema, newest, schema_directory, shipped
from stream_processors.decoding import UNDECODABLE, UNKNOWN_SCHEMA, _decode, decode_batch
from stream_processors.map_columns import MapColumns, coded_keys

AT = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)


def prediction(number: int, **more: Any) -> bytes:
    """A good message."""
    record = {
        "prediction_id": f"p{number}",
        "model": "m",
        "model_version": "1",
        "event_time": AT,
        "numeric_features": {"a": float(number), "b": None},
        "categorical_features": {"c": "ü", "d": None},
        **more,
    }
    return encode("prediction", record)


def ids(decoded: Any) -> list[str]:
    """Prediction ids that came out, in order."""
    group = decoded.of("prediction")
    return [] if group is None else group.batch.column("prediction_id").to_pylist()


def long(number: int) -> bytes:
    """Avro's bytes of a number."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, {"type": "long"}, number)
    return out.getvalue()


def test_good_batch() -> None:
    """A batch of good messages comes out whole, in order, with every field as it was written."""
    decoded = decode_batch([prediction(i) for i in range(50)])
    (group,) = decoded.groups
    assert not decoded.undecoded
    assert group.positions.tolist() == list(range(50))
    row = group.batch.slice(7, 1).to_pylist()[0]
    assert row["prediction_id"] == "p7"
    assert row["numeric_features"] == [("a", 7.0), ("b", None)]
    assert row["categorical_features"] == [("c", "ü"), ("d", None)]
    assert (row["environment"], row["served"], row["known_at"]) == ("production", True, None)


def bad_messages() -> dict[str, bytes | None]:
    """What may stand on the topic and is no prediction."""
    good = prediction(0)
    body_start = good[:SINGLE_OBJECT_HEADER]
    twice = good.replace(b"\x02b", b"\x02a")
    assert twice != good
    return {
        "tombstone": None,
        "empty": b"",
        "cut": good[:-3],
        "bytes left over": good + b"x",
        "many bytes left over": good + b"\x9chinden",
        "a whole message left over": good + good,
        "not UTF-8": good.replace(b"production", b"producti\xffn"),
        "key not UTF-8": good.replace(b"\x02b", b"\x02\xff"),
        "huge length": body_start + long(2**62) + b"x",
        "negative length": body_start + long(-7) + b"x",
        "endless number": body_start + b"\xff" * 30,
        "no frame": b"hello, I am JSON",
        "key named twice": twice,
        "other schema": stretch(),
    }


def stretch() -> bytes:
    """A message of another schema."""
    counts = {"first_offset": 0, "next_offset": 5, "events": 5, "dead_letters": 0}
    who = {"topic_id": "t", "source_partition": 0, "profiler_id": "profiler-0"}
    return encode("stretch", {**counts, **who, "reached_end": True})


@pytest.mark.parametrize("what", bad_messages())
def test_one_bad_message(what: str) -> None:
    """One bad message among good ones is set apart with its reason; the others decode as if it were not there."""
    values: list[bytes | None] = [prediction(i) for i in range(21)]
    values.insert(13, bad_messages()[what])
    decoded = decode_batch(values, expected=["prediction"])
    assert [(one.position, one.reason) for one in decoded.undecoded] == [(13, UNDECODABLE)]
    assert decoded.undecoded[0].detail
    assert ids(decoded) == [f"p{i}" for i in range(21)]
    group = decoded.of("prediction")
    assert group is not None
    assert group.positions.tolist() == [i for i in range(22) if i != 13]


def test_unknown_fingerprint() -> None:
    """A fingerprint nobody shipped is told apart from damaged bytes, and named."""
    strange = SINGLE_OBJECT + b"\x01\x02\x03\x04\x05\x06\x07\x08" + b"body"
    decoded = decode_batch([prediction(1), strange])
    (one,) = decoded.undecoded
    assert (one.position, one.reason, one.fingerprint) == (1, UNKNOWN_SCHEMA, "0102030405060708")
    assert ids(decoded) == ["p1"]


def test_unknown_registry_id() -> None:
    """Confluent framing without a registry is an unknown schema, not a crash."""
    decoded = decode_batch([b"\x00\x00\x00\x00\x07abc", prediction(1)])
    assert [(one.position, one.reason) for one in decoded.undecoded] == [(0, UNKNOWN_SCHEMA)]


class Registry:
    """A registry in memory: id 7 is the newest prediction."""

    def id_of(self, schema: Any) -> int:
        """Return the one id."""
        return 7

    def schema_of(self, schema_id: int) -> Any:
        """Return the one schema."""
        assert schema_id == 7
        return newest("prediction")


def test_both_framings() -> None:
    """Both framings on one topic decode into one group, in the order of the log."""
    values = [prediction(0), b"\x00\x00\x00\x00\x07" + prediction(1)[SINGLE_OBJECT_HEADER:], prediction(2)]
    decoded = decode_batch(values, Registry())
    assert not decoded.undecoded
    assert ids(decoded) == ["p0", "p1", "p2"]


def test_two_schemas() -> None:
    """Messages of two schemas on one topic make two groups."""
    decoded = decode_batch([prediction(0), stretch(), prediction(2)])
    assert {group.schema.name: group.positions.tolist() for group in decoded.groups} == {
        "prediction": [0, 2],
        "stretch": [1],
    }


def test_all_bad() -> None:
    """A batch of nothing but garbage is all undecoded, and an empty batch is empty."""
    assert len(decode_batch([b"garbage"] * 100).undecoded) == 100
    assert len(decode_batch([prediction(1)[:-1]] * 100).undecoded) == 100
    assert decode_batch([]).groups == ()


def test_random_damage() -> None:
    """Bytes changed, cut or doubled anywhere never raise, and every message is accounted for exactly once."""
    chance = random.Random(3)
    values: list[bytes | None] = []
    for number in range(3_000):
        value = bytearray(prediction(number))
        if number % 3 == 0:
            for _ in range(chance.randrange(1, 4)):
                value[chance.randrange(len(value))] = chance.randrange(256)
        if number % 50 == 0:
            del value[chance.randrange(len(value)) :]
        values.append(bytes(value))
    decoded = decode_batch(values, expected=["prediction"])
    group = decoded.of("prediction")
    assert group is not None
    places = sorted([*group.positions.tolist(), *(one.position for one in decoded.undecoded)])
    assert places == list(range(3_000))
    group.batch.validate(full=True)
    untouched = {f"p{number}" for number in range(3_000) if number % 3 and number % 50}
    assert untouched <= set(ids(decoded))


def test_same_whatever_the_batch() -> None:
    """What is undecodable does not depend on the batch a message came in: profiler and recorder agree."""
    chance = random.Random(5)
    values: list[bytes | None] = []
    for number in range(300):
        value = bytearray(prediction(number))
        value[chance.randrange(len(value))] ^= 1 << chance.randrange(8)
        values.append(bytes(value))
    together = {one.position: (one.reason, one.detail) for one in decode_batch(values).undecoded}
    alone = {}
    for position, value in enumerate(values):
        for one in decode_batch([value]).undecoded:
            alone[position] = (one.reason, one.detail)
    assert together == alone
    assert together


def test_older_writer() -> None:
    """Bodies of a version before fields were added are resolved to the newest one; what does not fit it stays out."""
    fields = [field for field in json.loads(newest("prediction").text)["fields"] if "default" not in field]
    text = json.dumps({"type": "record", "name": "Prediction", "namespace": "hindcast", "fields": fields})
    older = Schema("prediction", 0, text, fastavro.parse_schema(json.loads(text)), b"")
    body = io.BytesIO()
    record = {"prediction_id": "old", "model": "m", "model_version": "1", "event_time": AT}
    fastavro.schemaless_writer(body, older.parsed, record)
    framed = [b"head" + body.getvalue(), b"head" + body.getvalue()[:-1], b"head" + body.getvalue() + b"x"]
    positions, batch, bad = _decode(older, framed, 4)
    assert positions.tolist() == [0]
    assert batch is not None
    assert batch.column("prediction_id").to_pylist() == ["old"]
    assert batch.column("environment").to_pylist() == ["production"]
    assert [place for place, _ in bad] == [1, 2]


def test_the_first_ledger_is_read_as_the_newest() -> None:
    """Ledgers of both shipped versions in one batch are one group: what the first could not state is null."""
    older = shipped()["ledger.v1"]
    example = json.loads((schema_directory() / "examples" / "ledger.v2.json").read_text(encoding="utf-8"))
    body = io.BytesIO()
    fastavro.schemaless_writer(body, older.parsed, {k: v for k, v in example.items() if k != "queue_limit"})
    decoded = decode_batch([frame(older) + body.getvalue(), encode("ledger", example)])
    group = decoded.of("ledger")
    assert group is not None
    assert group.schema == newest("ledger") != older
    assert group.batch.column("queue_limit").to_pylist() == [None, 200_000]
    assert group.batch.column("accepted").to_pylist() == [example["accepted"]] * 2


def test_keyed_columns_of_unequal_rows() -> None:
    """Rows with different features come apart into columns that know which rows carry them."""
    maps: list[dict[str, float | None]] = [{"a": 1.0, "b": None}, {}, {"b": 2.0}, {"c": 3.0, "a": None}]
    decoded = decode_batch([prediction(i, numeric_features=one) for i, one in enumerate(maps)])
    group = decoded.of("prediction")
    assert group is not None
    columns = MapColumns(group.batch.column("numeric_features"))
    found = {name: carried(columns, name, 4) for name in columns.names}
    assert found == {"a": {0: 1.0, 3: None}, "b": {0: None, 2: 2.0}, "c": {3: 3.0}}


def carried(columns: MapColumns, name: str, n_rows: int) -> dict[int, Any]:
    """Row to value of one key."""
    rows = columns.rows(name)
    return dict(
        zip(range(n_rows) if rows is None else rows.tolist(), columns.values(name).to_pylist(), strict=True)
    )


def test_keyed_columns_of_a_slice() -> None:
    """A slice of a batch gives the columns of its own rows."""
    decoded = decode_batch([prediction(i) for i in range(5)])
    group = decoded.of("prediction")
    assert group is not None
    columns = MapColumns(group.batch.slice(2, 2).column("numeric_features"))
    assert {name: carried(columns, name, 2) for name in columns.names} == {
        "a": {0: 2.0, 1: 3.0},
        "b": {0: None, 1: None},
    }


def test_records_with_idle_bytes() -> None:
    """A length written with a byte too many is Avro all the same; so it is read, and what is left over behind it is still seen."""
    good = prediction(3)
    idle = good.replace(b"\x04p3", b"\x84\x00p3", 1)
    assert idle != good
    decoded = decode_batch([prediction(1), idle, prediction(2)])
    assert ids(decoded) == ["p1", "p3", "p2"]
    decoded = decode_batch([prediction(1), idle + b"x", prediction(2)])
    assert [(one.position, one.reason) for one in decoded.undecoded] == [(1, UNDECODABLE)]
    assert ids(decoded) == ["p1", "p2"]


@pytest.mark.parametrize(
    "maps", [[{"a": 1.0, "b": None}] * 3, [{"a": 1.0}, {}, {"b": None, "a": 2.0}], [{}] * 3]
)
def test_coded_keys(maps: list[dict[str, float | None]]) -> None:
    """Keys as a dictionary say what the keys said, of a slice too."""
    decoded = decode_batch([prediction(i, numeric_features=one) for i, one in enumerate(maps)])
    group = decoded.of("prediction")
    assert group is not None
    column = group.batch.column("numeric_features")
    assert coded_keys(column).to_pylist() == column.to_pylist() == [list(one.items()) for one in maps]
    assert coded_keys(column.slice(1)).to_pylist() == column.slice(1).to_pylist()
