"""Bodies written by functions of the schema are fastavro's, byte for byte, or are left to it."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.avro_writer import REFUSALS, NearNumbers, body_writer, whole_bytes
from producers.codec import decode, encode
from producers.errors import InvalidEvent
from producers.events import prediction_record
from producers.schema_files import newest

EVENTS = ["prediction", "label", "deployment", "ledger", "outcome"]
OF_KIND: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(max_size=8) | st.text("é飛\x00", min_size=500, max_size=1100),
    "double": st.floats(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
}
ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.lists(st.none(), max_size=1)
)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of an Avro type."""
    if isinstance(kind, list):
        return st.none() | values(kind[1])
    if not isinstance(kind, dict):
        return OF_KIND[kind]
    if kind["type"] == "map":
        return st.dictionaries(st.text(max_size=4), values(kind["values"]), max_size=4)
    if kind["type"] == "enum":
        return st.sampled_from(kind["symbols"])
    return OF_KIND[kind["type"]]


def records(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Records of a schema."""
    fields = newest(name).parsed["fields"]
    return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in fields})


def by_fastavro(name: str, record: dict[str, Any]) -> bytes:
    """The body as the other implementation writes it."""
    body = io.BytesIO()
    fastavro.schemaless_writer(body, newest(name).parsed, record, strict=True)
    return body.getvalue()


@pytest.mark.parametrize("name", EVENTS)
@given(data=st.data())
def test_the_bytes_are_fastavros(name: str, data: st.DataObject) -> None:
    """Every record of our events is written, and as fastavro writes it."""
    write = body_writer(newest(name).parsed)
    assert write is not None
    record = data.draw(records(name))
    assert write(record) == by_fastavro(name, record)


@pytest.mark.parametrize("name", EVENTS)
@given(data=st.data())
def test_a_wrong_value_is_never_written_otherwise(name: str, data: st.DataObject) -> None:
    """Whatever stands in a field: it is refused, or fastavro takes it too and writes the same."""
    write = body_writer(newest(name).parsed)
    assert write is not None
    record = data.draw(records(name))
    field = data.draw(st.sampled_from(sorted(record)))
    record[field] = data.draw(
        ANYTHING
        | st.dictionaries(ANYTHING.filter(lambda key: not isinstance(key, list)), ANYTHING, max_size=2)
    )
    try:
        written = write(record)
    except REFUSALS:
        return
    assert written == by_fastavro(name, record)


def test_what_is_not_written_here_is_fastavros_business() -> None:
    """An integer for a double and a field left to its default encode all the same; a field too many is named."""
    record = prediction_record(
        prediction_id="p", model="m", model_version="1", environment="e", event_time=0, features={"x": 1.0}
    )
    assert decode(encode("prediction", {**record, "score": 1}))[1]["score"] == 1.0
    del record["status"]
    assert decode(encode("prediction", record))[1]["status"] == "ok"
    with pytest.raises(InvalidEvent) as refusal:
        encode("prediction", {**record, "colour": "red"})
    assert refusal.value.field == "colour"


@pytest.mark.parametrize(
    "kind", ["bytes", {"type": "array", "items": "string"}, ["null", "string", "double"]]
)
def test_a_schema_with_another_type_is_left_alone(kind: Any) -> None:
    """A type that is not written here leaves the whole schema to fastavro."""
    assert body_writer({"fields": [{"name": "f", "type": kind}]}) is None


@given(
    st.lists(st.integers(0, 2**63 - 1) | st.integers(-(2**63), 2**63 - 1), min_size=1), st.integers(0, 2**28)
)
def test_numbers_near_one_another_have_the_same_bytes(numbers: list[int], near: int) -> None:
    """Whatever was written before, also just beyond what is remembered of it."""
    written = NearNumbers().written
    for number in numbers:
        for one in (number, min(number + near, 2**63 - 1), number):
            assert written(one) == whole_bytes(one)
