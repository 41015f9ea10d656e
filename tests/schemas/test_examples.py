"""Every shipped schema has an example, and every example makes the round trip in both framings."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro
import fastavro.validation
import pytest

from producers.codec import decode, encode, frame, read_frame
from producers.errors import InvalidEvent, Undecodable, UnknownSchema
from producers.schema_files import newest, schema_directory, shipped
from producers.testing import MemoryRegistry
from producers.topics import default_partitions, topics

LABELS = sorted(shipped())
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def example(label: str) -> dict[str, Any]:
    """The example of a schema as its file has it; instants are integers."""
    text = (schema_directory() / "examples" / f"{label}.json").read_text(encoding="utf-8")
    record: dict[str, Any] = json.loads(text)
    return record


def in_micros(value: Any) -> Any:
    """A decoded value with its instants as the schema's own microseconds."""
    if isinstance(value, datetime):
        return (value - _EPOCH) // timedelta(microseconds=1)
    if isinstance(value, dict):
        return {key: in_micros(item) for key, item in value.items()}
    return [in_micros(item) for item in value] if isinstance(value, list) else value


def framed(label: str, registry: MemoryRegistry | None) -> bytes:
    """The example as a writer of that version sends it; encode() writes the newest one only."""
    schema, body = shipped()[label], io.BytesIO()
    if schema == newest(schema.name):
        return encode(schema.name, example(label), registry)
    fastavro.schemaless_writer(body, schema.parsed, example(label))
    return frame(schema, registry) + body.getvalue()


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("registry", [None, MemoryRegistry()], ids=["single-object", "confluent"])
def test_round_trip(label: str, registry: MemoryRegistry | None) -> None:
    """An example, encoded and decoded, is the example again and, of an older version, the defaults of what came later."""
    name = shipped()[label].name
    value = framed(label, registry)
    assert value[:1] == (b"\xc3" if registry is None else b"\x00")
    assert read_frame(value, registry)[0].label == label
    decoded_name, record = decode(value, registry)
    later = {field["name"]: field["default"] for field in newest(name).parsed["fields"] if "default" in field}
    assert (decoded_name, in_micros(record)) == (name, {**later, **example(label)})


def test_a_producer_that_states_no_queue_limit_writes_the_newest_ledger() -> None:
    """A record without the field that came with ledger.v2 is written as one, and states nothing."""
    value = encode("ledger", example("ledger.v1"))
    assert read_frame(value)[0].label == newest("ledger").label == "ledger.v2"
    assert decode(value)[1]["queue_limit"] is None


@pytest.mark.parametrize("label", LABELS)
def test_example_is_complete(label: str) -> None:
    """An example states every field of its schema, in the schema's order, and nothing else."""
    fields = [field["name"] for field in json.loads(shipped()[label].text)["fields"]]
    assert list(example(label)) == fields
    assert fastavro.validation.validate(example(label), shipped()[label].parsed, strict=True)


def test_no_schema_without_example_and_no_example_without_schema() -> None:
    """Schemas and examples are the same set of labels."""
    assert sorted(path.stem for path in (schema_directory() / "examples").glob("*.json")) == LABELS


def test_every_field_is_documented() -> None:
    """Every field of every schema says what it means."""
    silent = [
        f"{label}.{field['name']}"
        for label in LABELS
        for field in json.loads(shipped()[label].text)["fields"]
        if not field.get("doc")
    ]
    assert silent == []


def test_topics_and_schemas_refer_to_each_other() -> None:
    """Every value of a topic is a shipped schema, and every schema's newest version travels on some topic."""
    carried = {label for topic in topics().values() for label in topic.values}
    assert carried <= set(LABELS)
    assert {newest(shipped()[label].name).label for label in LABELS} <= carried
    assert default_partitions() == 4


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda value: value[:9], Undecodable),
        (lambda value: value[:-1], Undecodable),
        (lambda value: value + b"\x00", Undecodable),
        (lambda value: b"{}" + value, Undecodable),
        (lambda value: value[:0], Undecodable),
        (lambda value: value[:2] + b"\x00" * 8 + value[10:], UnknownSchema),
        (lambda value: b"\x00" + (77).to_bytes(4, "big") + value[10:], UnknownSchema),
    ],
    ids=["cut frame", "cut body", "left over", "no frame", "empty", "unknown fingerprint", "unknown id"],
)
def test_damage_is_told_apart(damage: Any, error: type[Exception]) -> None:
    """Damaged bytes are undecodable; a frame that nobody shipped is an unknown schema."""
    value = damage(encode("prediction", example("prediction.v1")))
    for registry in (None, MemoryRegistry()):
        with pytest.raises(error):
            decode(value, registry)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("score", "high"),
        ("event_time", None),
        ("nosuch", "surplus"),
        ("model", "a\ud800b"),
        ("item_index", 2**40),
    ],
)
def test_refusal_names_the_field_and_not_the_value(field: str, value: object) -> None:
    """A record that does not fit is refused with the field's name and without its value."""
    with pytest.raises(InvalidEvent) as refusal:
        encode("prediction", {**example("prediction.v1"), field: value})
    assert refusal.value.field == field
    assert repr(value) not in str(refusal.value)
