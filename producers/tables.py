"""Tables of predictions and labels as columns of their schemas, without a Python step per row. Pure but for new ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from producers.arrow_memory import numbers as values_of
from producers.arrow_memory import whole
from producers.columns import becomes_category, column_of, numbers, texts, to_arrow
from producers.errors import InvalidEvent
from producers.events import LABEL_KINDS
from producers.ids import content_id, prediction_ids_at
from producers.rows import Rows
from producers.values import truth_of

# ids are made for so many rows at once
_IDS = 50_000
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
    if "error" in rows.fields:
        rows.fields["status"] = _statuses(rows.fields["status"], rows.fields["error"])
    if "prediction_id" not in rows.fields:
        times = _int64(rows.fields["event_time"])
        ids = [prediction_ids_at(times[start : start + _IDS]) for start in range(0, len(times), _IDS)]
        rows.fields["prediction_id"] = pa.chunked_array(ids, pa.string())
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


def _statuses(status: pa.ChunkedArray, error: pa.ChunkedArray) -> pa.ChunkedArray:
    """An error makes the status ``error`` unless another is said, as `events.prediction_record` has it."""
    failed = pc.and_(pc.is_valid(error), pc.equal(status, "ok"))
    return pc.if_else(failed, "error", status) if pc.any(failed, min_count=0).as_py() else status


def _becomes_category(
    kind: pa.DataType, name: str, categorical: Collection[str], kinds: Mapping[str, str]
) -> bool:
    promised = kinds.get(name)
    return becomes_category(kind, promised) or (promised is None and name in categorical)


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


def _int64(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return values_of(whole(column.cast(pa.int64())), np.int64)


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
