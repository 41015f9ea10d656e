"""Sketches survive as column records of the Avro schema."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import fastavro
from hypothesis import given
from hypothesis import strategies as st
from sketch_inputs import DOUBLES, PRECISIONS, WORDS, categorical_counts, numeric_counts

from stream_processors.sketches import (
    CategoricalSketch,
    NumericSketch,
    categorical_record,
    categorical_sketch,
    numeric_record,
    numeric_sketch,
)

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "sketch.v1.avsc").read_text())
FIELDS = {field["name"]: field["type"] for field in SCHEMA["fields"]}
NUMERIC = fastavro.parse_schema(FIELDS["numeric"]["items"])
CATEGORICAL = fastavro.parse_schema(FIELDS["categorical"]["items"])


def through_avro(schema: Any, record: dict[str, Any]) -> dict[str, Any]:
    """Encode and decode a record; every field must be one of the schema's."""
    assert set(record) == {field["name"] for field in schema["fields"]}
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, schema, record, strict=True)
    buffer.seek(0)
    decoded: Any = fastavro.schemaless_reader(buffer, schema, None)
    return dict(decoded)


@given(values=st.lists(DOUBLES, max_size=30), precision=PRECISIONS)
def test_numeric_sketches_survive(values: list[float], precision: int) -> None:
    """A numeric sketch is the same after Avro."""
    sketch = NumericSketch.of(values, precision, absent=2)  # type: ignore[arg-type]  # a list will do
    found = numeric_sketch(through_avro(NUMERIC, numeric_record("x", sketch)))
    assert numeric_counts(found) == numeric_counts(sketch)
    assert repr((found.sum, found.sum_of_squares)) == repr((sketch.sum, sketch.sum_of_squares))


@given(values=st.lists(st.one_of(WORDS, st.none()), max_size=30), listed=st.sampled_from([None, ("JFK",)]))
def test_categorical_sketches_survive(values: list[str | None], listed: tuple[str, ...] | None) -> None:
    """A categorical sketch is the same after Avro, empty buckets included, and whatever order its values stand in."""
    sketch = CategoricalSketch.of(values, listed, absent=2)
    record = through_avro(CATEGORICAL, categorical_record("c", sketch))
    assert record["buckets"] == [] or any(record["buckets"])
    assert categorical_counts(categorical_sketch(record)) == categorical_counts(sketch)
    record["values"], record["counts"] = record["values"][::-1], record["counts"][::-1]
    assert categorical_counts(categorical_sketch(record)) == categorical_counts(sketch)
