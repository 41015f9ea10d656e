"""Sizes computed from columns are the bytes that an encoder writes."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pyruhvro
from hypothesis import given
from hypothesis import strategies as st

from producers.codec import encode
from producers.schema_files import newest, schema_directory
from stream_processors.avro_size import is_sized, least_sizes
from stream_processors.decoding import decode_batch

MICROS = {"type": "long", "logicalType": "timestamp-micros"}
FIELDS: list[dict[str, Any]] = [
    {"name": "text", "type": "string"},
    {"name": "text_or_null", "type": ["null", "string"]},
    {"name": "number", "type": "long"},
    {"name": "number_or_null", "type": ["null", "int"]},
    {"name": "at", "type": MICROS},
    {"name": "at_or_null", "type": ["null", MICROS]},
    {"name": "double", "type": "double"},
    {"name": "double_or_null", "type": ["null", "double"]},
    {"name": "flag", "type": "boolean"},
    {"name": "doubles", "type": {"type": "map", "values": "double"}},
    {"name": "doubles_or_null", "type": {"type": "map", "values": ["null", "double"]}},
    {"name": "texts", "type": {"type": "map", "values": "string"}},
    {"name": "texts_or_null", "type": {"type": "map", "values": ["null", "string"]}},
    {"name": "longs", "type": {"type": "map", "values": "long"}},
]
SCHEMA = {"type": "record", "name": "Everything", "fields": FIELDS}
TEXT = json.dumps(SCHEMA)
PARSED = fastavro.parse_schema(SCHEMA)

# around the lengths at which a length takes one byte more
texts = st.one_of(
    st.text(max_size=5), st.sampled_from(["x" * 63, "x" * 64, "ü" * 40, "y" * 8_191, "y" * 8_192])
)
longs = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from(
        [sign * (1 << bits) - less for sign in (1, -1) for bits in range(6, 63, 7) for less in (0, 1)]
    ),
)
# what fastavro takes for a time
micros = st.integers(-(2**53), 2**53)
doubles = st.floats()
records = st.fixed_dictionaries(
    {
        "text": texts,
        "text_or_null": st.none() | texts,
        "number": longs,
        "number_or_null": st.none() | st.integers(-(2**31), 2**31 - 1),
        "at": micros,
        "at_or_null": st.none() | micros,
        "double": doubles,
        "double_or_null": st.none() | doubles,
        "flag": st.booleans(),
        "doubles": st.dictionaries(texts, doubles, max_size=3),
        "doubles_or_null": st.dictionaries(texts, st.none() | doubles, max_size=3),
        "texts": st.dictionaries(texts, texts, max_size=3),
        "texts_or_null": st.dictionaries(texts, st.none() | texts, max_size=3),
        "longs": st.dictionaries(texts, longs, max_size=3),
    }
)


def encoded(record: dict[str, Any]) -> bytes:
    """The record's bytes."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, PARSED, record)
    return out.getvalue()


@given(st.lists(records, max_size=8))
def test_sizes_are_those_of_the_encoder(given: list[dict[str, Any]]) -> None:
    """Whatever the records hold."""
    bodies = [encoded(one) for one in given]
    batch = pyruhvro.deserialize_array(bodies, TEXT)
    sizes = least_sizes(TEXT, batch)
    assert sizes is not None
    assert sizes.tolist() == [len(body) for body in bodies]
    part = least_sizes(TEXT, batch.slice(1, 3))
    assert part is not None
    assert part.tolist() == [len(body) for body in bodies[1:4]]


def test_only_what_is_known_is_sized() -> None:
    """A schema with an enumeration says nothing: Arrow has it as a text, Avro as a number."""
    text = newest("label").text
    assert "enum" in text
    assert not is_sized(text)
    assert least_sizes(text, pyruhvro.deserialize_array([], text)) is None
    assert is_sized(newest("prediction").text)


def test_the_example_of_a_prediction_is_sized() -> None:
    """The schema that comes by the million is one that is sized."""
    example = json.loads((schema_directory() / "examples" / "prediction.v1.json").read_text(encoding="utf-8"))
    message = encode("prediction", example)
    (group,) = decode_batch([message]).groups
    sizes = least_sizes(newest("prediction").text, group.batch)
    assert sizes is not None
    assert sizes.tolist() == [len(message) - 10]
