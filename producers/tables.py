"""Tables of predictions and labels as Arrow batches in their schema's columns, without a Python step per row. Pure but for new ids."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from producers.columns import ARROW, column_of, constant, is_category, numbers, scalar_fields, texts, to_arrow
from producers.errors import InvalidEvent
from producers.events import LABEL_KINDS
from producers.ids import content_id, prediction_ids_at
from producers.schema_files import newest
from producers.values import truth_of

CHUNK_ROWS = 10_000
OURS = ("producer_id", "sequence")
_MAPS = ("numeric_features", "categorical_features", "probabilities", "quantiles", "segments")
_FACT = (
    "model",
    "prediction_id",
    "output",
    "kind",
    "truth",
    "truth_value",
    "true_at",
    "reported_at",
    "model_version",
    "environment",
)
_PREDICTION: dict[str, object] = {"output": "", "served": True, "status": "ok", "sampling_rate": 1.0}
_LABEL: dict[str, object] = {"output": "", "kind": "truth"}
_NO_KINDS: Mapping[str, str] = {}


class Rows:
    """A table on its way to becoming events: checked columns, still apart.

    Args:
        name: schema, ``prediction`` or ``label``.
        table: Arrow, pandas, polars.
        columns: which column a field is in; a field's own name need not be said, unless ``taken`` has it.
        constants: fields with one value for all rows; instants as aware datetimes or µs.
        defaults: the same, where the table has no column of that name.
        taken: columns that are something else, such as features.

    Raises:
        InvalidEvent: a column that is missing, has another type, or would change silently.
    """

    def __init__(
        self,
        name: str,
        table: Any,
        *,
        columns: Mapping[str, str],
        constants: Mapping[str, object],
        defaults: Mapping[str, object],
        taken: Collection[str] = (),
    ) -> None:
        self.source = to_arrow(table)
        self._schema = newest(name).parsed
        kinds = scalar_fields(self._schema, without=OURS)
        for field in [*columns, *constants]:
            if field not in kinds:
                raise InvalidEvent(field, f"is no field of {name} that a table can set")
        self._types = {field: ARROW[kind] for field, (kind, _) in kinds.items()}
        self.fields: dict[str, pa.ChunkedArray] = {}
        self.maps: dict[str, list[tuple[str, pa.ChunkedArray]]] = {field: [] for field in _MAPS}
        for field, (kind, nullable) in kinds.items():
            own = field in self.source.column_names and field not in taken
            if field in columns or (own and field not in constants):
                given = self.column(columns.get(field, field))
                self.fields[field] = column_of(field, kind, given, nullable=nullable)
            elif field in constants or field in defaults:
                value = constants.get(field, defaults.get(field))
                self.fields[field] = self._constant(field, kind, value, nullable=nullable)

    def column(self, name: str) -> pa.ChunkedArray:
        """A column of the table; raises `InvalidEvent` where it is missing."""
        if name not in self.source.column_names:
            raise InvalidEvent(name, "is no column of the table")
        return self.source[name]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Events in their schema's column order, without producer id and sequence, in chunks."""
        flat = pa.table(
            [*self.fields.values(), *(column for entries in self.maps.values() for _, column in entries)],
            names=[
                *self.fields,
                *(f"{field} {name}" for field, entries in self.maps.items() for name, _ in entries),
            ],
        )
        wanted = [field["name"] for field in self._schema["fields"] if field["name"] not in OURS]
        for batch in flat.combine_chunks().to_batches(max_chunksize=CHUNK_ROWS):
            yield pa.record_batch([self._of_chunk(field, batch) for field in wanted], names=wanted)

    def _of_chunk(self, field: str, batch: pa.RecordBatch) -> pa.Array:
        if field in self.maps:
            names = [name for name, _ in self.maps[field]]
            return map_array(names, [batch[f"{field} {name}"] for name in names], batch.num_rows, field)
        return batch[field] if field in self.fields else pa.nulls(batch.num_rows, self._types[field])

    def _constant(self, field: str, kind: str, value: object, *, nullable: bool) -> pa.ChunkedArray:
        return pa.chunked_array([constant(field, kind, value, self.source.num_rows, nullable=nullable)])


def prediction_rows(
    table: Any,
    *,
    features: Sequence[str],
    categorical: Collection[str],
    columns: Mapping[str, str],
    probabilities: Mapping[str, str],
    quantiles: Mapping[str, str],
    segments: Sequence[str],
    constants: Mapping[str, object],
    defaults: Mapping[str, object],
    kinds: Mapping[str, str] = _NO_KINDS,
) -> Rows:
    """Predictions; ids are made from event_time where none are given. See `PredictionLogger.predictions`.

    ``kinds`` are what a contract says of features, as `values.split_features` has it.
    """
    taken = {*features, *segments, *probabilities.values(), *quantiles.values()}
    rows = Rows(
        "prediction",
        table,
        columns=columns,
        constants=constants,
        defaults=_PREDICTION | dict(defaults),
        taken=taken,
    )
    if "prediction_id" not in rows.fields:
        rows.fields["prediction_id"] = pa.chunked_array(
            [prediction_ids_at(_int64(rows.fields["event_time"]))]
        )
    for name in features:
        column, field = rows.column(name), f"features.{name}"
        if _becomes_category(column.type, name, categorical, kinds):
            rows.maps["categorical_features"].append((name, texts(field, column)))
        else:
            rows.maps["numeric_features"].append((name, numbers(field, column)))
    for place, given in (("probabilities", probabilities), ("quantiles", quantiles)):
        rows.maps[place] = [
            (key, column_of(f"{place}.{key}", "double", rows.column(name), nullable=False))
            for key, name in given.items()
        ]
    rows.maps["segments"] = [(name, texts(f"segments.{name}", rows.column(name))) for name in segments]
    return rows


def _becomes_category(
    kind: pa.DataType, name: str, categorical: Collection[str], kinds: Mapping[str, str]
) -> bool:
    if name not in kinds:
        return name in categorical or is_category(kind)
    if kinds[name] == "categorical":
        return is_category(kind) or pa.types.is_integer(kind) or kind == pa.null()
    return is_category(kind) and kind != pa.bool_()


def label_rows(
    table: Any, *, columns: Mapping[str, str], constants: Mapping[str, object], defaults: Mapping[str, object]
) -> Rows:
    """Labels; a label_id is made from the fact where none is given. See `PredictionLogger.labels`."""
    source = to_arrow(table)
    columns, constants, taken = _truths(source, columns, constants)
    rows = Rows(
        "label", source, columns=columns, constants=constants, defaults=_LABEL | dict(defaults), taken=taken
    )
    if "prediction_id" not in rows.fields:
        raise InvalidEvent("prediction_id", "no column gives it")
    kinds = rows.fields["kind"]
    if not pc.all(pc.is_in(kinds, pa.array(LABEL_KINDS)), min_count=0).as_py():
        raise InvalidEvent("kind", f"one of {', '.join(LABEL_KINDS)} is wanted")
    if "truth_value" in rows.fields and pc.any(pc.is_nan(rows.fields["truth_value"]), min_count=0).as_py():
        raise InvalidEvent(
            "truth_value", "is NaN, which says nothing; a null and kind='void' say that it never will"
        )
    says = [pc.is_valid(rows.fields[field]) for field in ("truth", "truth_value") if field in rows.fields]
    silent = pc.is_in(kinds, pa.array(["truth", "correction"]))
    for spoken in says:
        silent = pc.and_(silent, pc.invert(spoken))
    if pc.any(silent, min_count=0).as_py():
        raise InvalidEvent("truth", "a truth or correction without truth and truth_value; say kind='void'")
    if "label_id" not in rows.fields:
        rows.fields["label_id"] = pa.chunked_array([_fact_ids(rows)])
    return rows


def _truths(
    source: pa.Table, columns: Mapping[str, str], constants: Mapping[str, object]
) -> tuple[Mapping[str, str], Mapping[str, object], Collection[str]]:
    """Columns and constants where a truth that is a number is a truth_value, and the column that is no truth then.

    The rules are `values.truth_of`'s, for a whole column.
    """
    if "truth" in constants and "truth" not in columns:
        true_class, true_number = truth_of(constants["truth"], constants.get("truth_value"))
        number = {} if true_number is None else {"truth_value": true_number}
        return columns, {**constants, "truth": true_class, **number}, ()
    name = columns.get("truth", "truth")
    kind = source.schema.field(name).type if name in source.column_names else pa.null()
    has_value = "truth_value" in {*columns, *constants, *source.column_names}
    if pa.types.is_integer(kind) and not has_value:
        return {**columns, "truth_value": name}, constants, ()
    if not (pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return columns, constants, ()
    if has_value:
        raise InvalidEvent("truth", "numbers, which truth_value gives too: say one of them")
    others = {field: column for field, column in columns.items() if field != "truth"}
    return {**others, "truth_value": name}, constants, {"truth"}


def map_array(names: Sequence[str], columns: Sequence[pa.Array], rows: int, field: str) -> pa.MapArray:
    """A map per row from one column per key; the keys stand in the same order in every row. Null segments are left out."""
    value_type = pa.float64() if field in {"numeric_features", "probabilities", "quantiles"} else pa.string()
    width = len(names)
    places = np.arange(width * rows).reshape(width, rows).T.ravel()
    items = pa.concat_arrays(columns).take(pa.array(places)) if columns else pa.array([], value_type)
    keys = pa.array(names, pa.string()).take(pa.array(places // max(rows, 1)))
    offsets = np.arange(rows + 1) * width
    if field == "segments" and items.null_count:
        there = items.is_valid()
        offsets = np.concatenate([[0], np.cumsum(np.asarray(there))])[offsets]
        keys, items = keys.filter(there), items.filter(there)
    return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), keys, items)


def _int64(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.cast(pa.int64()).to_numpy())


def _fact_ids(rows: Rows) -> pa.Array:
    parts = [_as_text(rows.fields[field]) for field in _FACT if field in rows.fields]
    # unit separators between, a NUL for null: no two facts make one text
    texts_of_facts = pc.binary_join_element_wise(
        *parts, "\x1f", null_handling="replace", null_replacement="\x00"
    )
    times = _int64(rows.fields["reported_at"]).tolist()
    pairs = zip(times, texts_of_facts.to_pylist(), strict=True)
    return pa.array([content_id(time, text.encode()) for time, text in pairs], pa.string())


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.type == pa.float64():
        # the bits of a double, so that the text depends on no formatting
        column = pa.chunked_array([chunk.view(pa.int64()) for chunk in column.chunks], pa.int64())
    elif column.type == pa.timestamp("us"):
        column = column.cast(pa.int64())
    return column.cast(pa.string())
