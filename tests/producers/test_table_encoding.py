"""Tables are encoded by columns into the bytes that fastavro writes record by record, whatever lies in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.arrow_memory import whole
from producers.bulk import encode_part
from producers.byte_sheet import SHORT, Sheet
from producers.codec import Registry, encode, frame
from producers.intake import Intake
from producers.rows import PART_BYTES, Rows
from producers.schema_files import newest
from producers.tables import label_rows, prediction_rows
from producers.testing import MemoryRegistry

NOON = datetime(2024, 9, 9, 12, 30, tzinfo=UTC)
DEFAULTS = {"model": "m", "model_version": "1", "environment": "e"}


def by_columns(rows: Rows, registry: Registry | None = None) -> list[bytes]:
    """The messages of a table; its parts are numbered one after the other."""
    intake = Intake("the producer", 10)
    head, found = frame(newest(rows.name), registry), []
    for part in rows.parts():
        encoded = encode_part(part, rows, head, intake)
        encoded.number(range(len(found), len(found) + encoded.rows))
        assert encoded.values is not None
        found += encoded.values.to_pylist()
        assert encoded.keys.to_pylist() == part.keys.to_pylist()
    return found


def by_records(rows: Rows, registry: Registry | None = None) -> list[bytes]:
    """The same by fastavro."""
    fields = {name: _plain(whole(column)) for name, column in rows.fields.items()}
    maps = {
        name: [(key, whole(column).to_pylist()) for key, column in entries]
        for name, entries in rows.maps.items()
    }
    schema = newest(rows.name).parsed
    names = [field["name"] for field in schema["fields"]]
    found = []
    for place in range(len(rows.fields["prediction_id"])):
        record: dict[str, Any] = {
            name: fields[name][place] if name in fields else None for name in names if name not in rows.maps
        }
        for name, entries in maps.items():
            values = {key: column[place] for key, column in entries}
            record[name] = (
                {key: value for key, value in values.items() if value is not None}
                if name == "segments"
                else values
            )
        record |= {"producer_id": "the producer", "sequence": place}
        found.append(encode(rows.name, {name: record[name] for name in names}, registry))
    return found


def _plain(column: pa.Array) -> list[Any]:
    values = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
    found: list[Any] = values.to_pylist()
    return found


_MICROS = st.none() | st.integers(-2_208_988_800_000_000, 10_413_791_999_999_999)
_TEXT = st.none() | st.text(max_size=8) | st.sampled_from(["", "x" * SHORT, "y" * (SHORT + 1), "é" * 40])
_ROW = st.tuples(
    st.none() | st.floats(),
    _TEXT,
    _TEXT,
    st.none() | st.booleans(),
    _MICROS,
    st.none() | st.integers(-(2**31), 2**31 - 1),
)


@given(st.lists(_ROW, min_size=1, max_size=30), st.integers(0, 3))
def test_predictions_have_fastavros_bytes(rows: list[tuple[Any, ...]], cut: int) -> None:
    """Every kind of column, with nulls or without, in a slice that begins anywhere, in both framings."""
    number, category, segment, flag, at, count = zip(*rows, strict=True)
    table = pa.table(
        {
            "n": pa.array(number, pa.float64()),
            "n2": pa.array(number[::-1], pa.float64()),
            "c": pa.array(category, pa.string()),
            "s": pa.array(segment, pa.string()),
            "b": pa.array(flag, pa.bool_()),
            "p": pa.array([value or 0.5 for value in number], pa.float64()),
            "served": pa.array([bool(value) for value in flag], pa.bool_()),
            "score": pa.array(number, pa.float64()),
            "entity_id": pa.array([text or None for text in category], pa.string()),
            "event_time": pa.array([value or 0 for value in at], pa.timestamp("us", "UTC")),
            "target_time": pa.array(at, pa.timestamp("us", "UTC")),
            "known_at": pa.array(at, pa.timestamp("us", "UTC")),
            "rank": pa.array(count, pa.int32()),
        }
    ).slice(min(cut, len(rows) - 1))
    built = prediction_rows(
        table,
        features=["n", "n2", "c", "b"],
        categorical=(),
        columns={},
        probabilities={"late": "p"},
        quantiles={"0.1": "p", "0.9": "p"},
        segments=["s", "c"],
        constants={"item_index": 3},
        defaults=DEFAULTS,
    )
    for registry in (None, MemoryRegistry()):
        assert by_columns(built, registry) == by_records(built, registry)


@given(
    st.lists(
        st.tuples(_TEXT, st.sampled_from(["truth", "correction", "void"]), _MICROS), min_size=1, max_size=20
    )
)
def test_labels_have_fastavros_bytes(rows: list[tuple[Any, ...]]) -> None:
    """An enum, a null constant and optional texts and instants beside them."""
    truths, kinds, at = zip(*rows, strict=True)
    table = pa.table(
        {
            "prediction_id": [f"p{place}" for place in range(len(rows))],
            "truth": [text or "x" for text in truths],
            "kind": kinds,
            "true_at": pa.array(at, pa.timestamp("us", "UTC")),
            "source": pa.array(truths, pa.string()),
        }
    )
    built = label_rows(table, columns={}, constants={}, defaults={"model": "m", "reported_at": NOON})
    assert by_columns(built) == by_records(built)


def test_one_row_and_no_feature() -> None:
    """The least there is: empty maps, defaults, one row; and no rows are no messages."""
    for rows in (0, 1):
        table = pa.table({"prediction_id": pa.array(["a"][:rows], pa.string())})
        built = prediction_rows(
            table, features=[], categorical=(), columns={}, probabilities={}, quantiles={}, segments=[],
            constants={}, defaults={**DEFAULTS, "event_time": NOON},
        )  # fmt: skip
        assert by_columns(built) == by_records(built)
        assert len(by_columns(built)) == rows


def test_pieces_of_a_column_make_no_difference() -> None:
    """Columns whose pieces end at different rows, as Parquet's and polars' do, are the same as whole ones."""
    values, names = list(range(25_000)), [f"name{place % 7}" for place in range(25_000)]
    pieces = pa.table(
        {
            "x": pa.chunked_array([values[:3], values[3:12_000], values[12_000:]], pa.float64()),
            "c": pa.chunked_array([names[:14_999], names[14_999:]]),
        }
    )
    common: dict[str, Any] = {
        "features": ["x", "c"], "categorical": (), "columns": {}, "probabilities": {}, "quantiles": {},
        "segments": [], "constants": {"event_time": NOON}, "defaults": {**DEFAULTS, "prediction_id": "p"},
    }  # fmt: skip
    of_pieces, of_whole = (prediction_rows(one, **common) for one in (pieces, pieces.combine_chunks()))
    assert by_columns(of_pieces) == by_columns(of_whole)


def test_a_part_is_as_large_as_memory_allows() -> None:
    """Large rows make parts of fewer rows, also where only some are large; nothing is left out."""
    table = pa.table(
        {"prediction_id": [str(place) for place in range(900)], "text": ["x"] * 600 + ["x" * 200_000] * 300}
    )
    rows = prediction_rows(
        table, features=["text"], categorical=(), columns={}, probabilities={}, quantiles={}, segments=[],
        constants={}, defaults={**DEFAULTS, "event_time": NOON},
    )  # fmt: skip
    parts = list(rows.parts())
    assert [key for part in parts for key in part.keys.to_pylist()] == [str(place) for place in range(900)]
    assert max(part.columns.maps["categorical_features"][0][1].nbytes for part in parts) <= 2 * PART_BYTES
    assert len(parts) < 20


@pytest.mark.parametrize(
    ("environments", "hours", "expected"),
    [
        (None, [0, 0, 0, 0], [("m", None, 0, 4, 0, 3)]),
        (
            ["a", "b", "a", None],
            [0, 0, 0, 0],
            [("m", "a", 0, 2, 0, 2), ("m", "b", 0, 1, 1, 1), ("m", None, 0, 1, 3, 3)],
        ),
        (None, [5, 2, 5, 2], [("m", None, 2, 2, 1, 3), ("m", None, 5, 2, 0, 2)]),
        (
            ["a", "b", "a", "b"],
            [5, 5, -2, 5],
            [("m", "a", -2, 1, 2, 2), ("m", "a", 5, 1, 0, 0), ("m", "b", 5, 2, 1, 3)],
        ),
    ],
)
def test_rows_are_grouped_by_account(
    environments: Any, hours: list[int], expected: list[tuple[Any, ...]]
) -> None:
    """Each group knows its rows, and every row its group."""
    from producers.row_groups import groups_of

    times = [NOON.replace(hour=0, minute=0) + timedelta(hours=hour, minutes=59) for hour in hours]
    columns = {"prediction_id": list("abcd"), "truth": list("abcd"), "reported_at": times}
    if environments:
        columns["environment"] = environments
    rows = label_rows(pa.table(columns), columns={}, constants={}, defaults={"model": "m"})
    (part,) = rows.parts()
    groups, group_of = groups_of(part)
    first = int(NOON.replace(hour=0, minute=0).timestamp()) // 3600
    assert sorted((one._replace(hour=one.hour - first) for one in groups), key=str) == sorted(
        expected, key=str
    )
    counts = [4] if group_of is None else np.bincount(group_of).tolist()
    assert counts == [one.rows for one in groups]


_CELLS = st.lists(
    st.tuples(st.binary(max_size=3), st.booleans(), st.text(max_size=70)), min_size=1, max_size=12
)


@given(_CELLS, st.lists(st.sampled_from("ctvm"), max_size=6))
@settings(max_examples=300)
def test_a_sheet_writes_what_its_columns_say(cells: list[tuple[bytes, bool, str]], order: list[str]) -> None:
    """Whatever stands beside each other, and whatever of it some rows lack, nothing is written over."""
    rows = len(cells)
    there = np.array([flag for _, flag, _ in cells])
    texts = pa.array([text for _, _, text in cells], pa.string())
    wholes = np.array([len(text) * 3 ** len(code) - 5 for code, _, text in cells], np.int64)
    sheet, expected = Sheet(rows), [b""] * rows
    for kind in order:
        if kind == "c":
            sheet.constant(b"<>")
            own = [b"<>"] * rows
        elif kind == "m":
            sheet.constant(b"maybe", there)
            own = [b"maybe" if flag else b"" for flag in there]
        elif kind == "v":
            sheet.varints(wholes, there)
            own = [_varint(int(number)) if flag else b"" for number, flag in zip(wholes, there, strict=True)]
        else:
            sheet.texts(texts)
            own = [_varint(len(text.encode())) + text.encode() for _, _, text in cells]
        expected = [before + more for before, more in zip(expected, own, strict=True)]
    assert sheet.packed().to_pylist() == expected


def _varint(number: int) -> bytes:
    rest, written = number << 1 ^ number >> 63, []
    while rest > 0x7F:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*written, rest])
