"""What went into a model and what came out, row by row: numpy, pandas, polars, Arrow, lists and dictionaries. Pure.

Nothing is imported to find out what a value is, so a service pays for no library that it does not use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from producers.errors import InvalidEvent
from producers.values import NULL_CATEGORY, plain

Row = dict[str, object]
Decide = Callable[[Mapping[str, float]], object]

_LISTS = ("tolist", "to_list", "to_pylist")
_NUMBERS = frozenset("iufc")
_TIMES = frozenset("mM")
# how Arrow and polars write the types whose values are categories
_CATEGORIES = frozenset(
    {"string", "large_string", "string_view", "bool", "String", "Categorical", "Enum", "Boolean"}
)


def feature_rows(inputs: Any, names: Sequence[str] | None = None) -> list[Row] | None:
    """The features of each row of a model's input; None for an input that does not say how many rows it has.

    A table gives its columns' names, a series its own; a dictionary is one row, in a list one row each. Other rows get
    ``names``, or ``f0``, ``f1`` … where there are none; a text or number that stands alone is one feature. Rows that are no
    list of values, such as images or those of sparse matrices, have no features. A null in a column of texts or booleans is
    `NULL_CATEGORY`, where the column's type or another row says that it is one.

    Raises:
        InvalidEvent: ``names`` are not as many as the columns, two columns of one name, or a column that cannot be listed.
    """
    if isinstance(inputs, Mapping):
        return [dict(inputs)]
    kind = type(inputs)  # a frame itself answers to the names of its columns
    if hasattr(kind, "to_pylist") and hasattr(kind, "column_names"):
        return _rows_of_arrow(inputs)
    if hasattr(kind, "columns"):
        names = _distinct([str(name) for name in inputs.columns])
        return [dict(zip(names, row, strict=True)) for row in _rows_of_frame(inputs)]
    shape = getattr(inputs, "shape", None)
    if not shape:
        return _of_list(inputs, names) if isinstance(inputs, list | tuple) else None
    if len(shape) > 2 or not any(hasattr(inputs, name) for name in _LISTS):
        return [{} for _ in range(shape[0])]
    is_series = len(shape) == 1 and hasattr(inputs, "name")
    return _of_series(inputs, names) if is_series else _of_list(_listed(inputs), names)


def class_name(value: object) -> str:
    """A class as text. The class 1.0 is ``1``: whoever trains on floats means the integer.

    Raises:
        InvalidEvent: several values, where one is a class.
    """
    value = _single(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def answers_of_predict(answer: Any, classes: Any, outputs: Sequence[str] = ()) -> dict[str, list[Row]]:
    """What ``predict`` said, as fields of prediction.v1 for each output and row.

    A float of a model without classes is a ``score``, anything else a ``decision``.

    Args:
        answer: an array, list or series with one value a row, or one per output; of a tuple, its first.
        classes: the model's ``classes_``, or None.
        outputs: names of the outputs; empty: one, whose name is ''.

    Raises:
        InvalidEvent: an answer of another shape.
    """
    rows = _listed(answer[0] if isinstance(answer, tuple) else answer)
    if not rows or not isinstance(rows[0], list):
        columns: list[Any] = [rows]
    else:
        columns = list(zip(*rows, strict=True))
    names = outputs or ("",)
    if len(columns) != len(names):
        raise InvalidEvent(
            "outputs", f"{len(columns)} values a row: name that many outputs, not {len(outputs)}"
        )
    return {
        name: [_said(value, is_class=classes is not None) for value in column]
        for name, column in zip(names, columns, strict=True)
    }


def answers_of_proba(
    answer: Any,
    classes: Any,
    outputs: Sequence[str] = (),
    *,
    positive: object = None,
    decide: Decide | None = None,
) -> dict[str, list[Row]]:
    """What ``predict_proba`` said, as fields of prediction.v1 for each output and row.

    Of two classes the second's probability is the ``score``; of more, ``probabilities`` has each.

    Args:
        answer: an array with one row of probabilities, or one probability, a row; where outputs are named, one such array each.
        classes: the model's ``classes_``, one such array per output where they are named; None: they are called 0, 1, ….
        outputs: names of the outputs; empty: one, whose name is ''.
        positive: the class whose probability is the score, also of more than two.
        decide: makes the ``decision`` from the probabilities of one row, by class, or None for a row that has none; None: no row has one.

    Raises:
        InvalidEvent: an answer of another shape, or a ``positive`` that is no class.
    """
    if not outputs:
        return {"": _probabilities(answer, classes, positive, decide)}
    if not isinstance(answer, list | tuple) or len(answer) != len(outputs):
        raise InvalidEvent("outputs", f"a list of {len(outputs)} arrays is wanted, one per output")
    return {
        output: _probabilities(answer[place], None if classes is None else classes[place], positive, decide)
        for place, output in enumerate(outputs)
    }


def _distinct(names: Sequence[str]) -> Sequence[str]:
    if len(set(names)) < len(names):
        raise InvalidEvent(
            "features", f"two columns are named {next(n for n in names if names.count(n) > 1)}"
        )
    return names


def _rows_of_arrow(table: Any) -> list[Row]:
    rows: list[Row] = table.to_pylist()
    for name, kind in zip(_distinct(table.column_names), table.schema.types, strict=True):
        if str(kind).removeprefix("dictionary<values=").partition(",")[0] in _CATEGORIES:
            for row in rows:
                row[name] = NULL_CATEGORY if row[name] is None else row[name]
    return rows


def _rows_of_frame(frame: Any) -> list[list[Any]]:
    """The rows of a pandas or polars frame, each a list of Python values."""
    if hasattr(type(frame), "iloc"):
        # a hundred times as fast as taking the columns one by one, which is what a call with one row would feel
        rows: list[list[Any]] = frame.to_numpy(object).tolist()
    else:
        rows = [list(row) for row in frame.rows()]  # polars
    for place, dtype in enumerate(frame.dtypes):
        if getattr(dtype, "kind", None) not in _NUMBERS:
            _mark_nulls(rows, place, dtype)
    return rows


def _mark_nulls(rows: Sequence[list[Any]], place: int, dtype: Any) -> None:
    """Have the nulls of a column be those of its kind; pandas says NaN for any. A column of objects is of the kind of the others in it."""
    known = _holds_categories(dtype)
    # polars' types have no kind, and NaN is none of their nulls
    if getattr(dtype, "kind", None) in _NUMBERS or not (known or hasattr(dtype, "kind")):
        return
    nulls = [row for row in rows if _is_null(row[place])]
    if nulls:
        known = known or any(isinstance(row[place], str | bool) for row in rows)
        for row in nulls:
            row[place] = NULL_CATEGORY if known else None


def _holds_categories(dtype: Any) -> bool:
    """Whether a type of pandas, numpy or polars says that its values are texts or booleans."""
    kind = getattr(dtype, "kind", None)
    if kind is None:
        return str(dtype).partition("(")[0] in _CATEGORIES
    own = getattr(dtype, "categories", None)
    if own is not None:
        return own.dtype.kind not in _NUMBERS
    return bool(kind == "b" or dtype.type is str)


def _of_series(series: Any, names: Sequence[str] | None) -> list[Row]:
    rows = _listed(series)
    if not any(map(_is_row, rows)):
        rows = [[value] for value in rows]
        _mark_nulls(rows, 0, series.dtype)
    return _of_list(rows, names if series.name is None else [str(series.name)])


def _of_list(rows: Sequence[Any], names: Sequence[str] | None) -> list[Row]:
    features: list[Row] = []
    keys: Sequence[str] = _distinct(names or ())
    for row in rows:
        if isinstance(row, Mapping):
            features.append(dict(row))
            continue
        values = row if isinstance(row, list | tuple) else _listed(row)
        if names is None and len(keys) != len(values):
            keys = [f"f{place}" for place in range(len(values))]
        if len(keys) != len(values):
            raise InvalidEvent("features", f"{len(keys)} names for {len(values)} columns")
        features.append(dict(zip(keys, values, strict=True)))
    return features


def _listed(values: Any) -> list[Any]:
    """The Python values of an array, series, column or sequence; one that stands alone is a list of one."""
    if getattr(getattr(values, "dtype", None), "kind", None) in _TIMES:
        raise InvalidEvent("rows", "numbers and texts are wanted, not times")
    if isinstance(values, list | tuple):
        return [_listed(value) if getattr(value, "ndim", 0) else value for value in values]
    method = next((name for name in _LISTS if hasattr(values, name)), None)
    if method is None:
        if hasattr(values, "__iter__") and not isinstance(values, str):
            raise InvalidEvent("rows", f"a list or array is wanted, not {type(values).__name__}")
        return [values]
    listed = getattr(values, method)()
    return listed if isinstance(listed, list) else [listed]


def _is_row(value: object) -> bool:
    return isinstance(value, list | tuple | Mapping)


def _is_null(value: object) -> bool:
    return (
        value is None or (isinstance(value, float) and math.isnan(value)) or type(value).__name__ == "NAType"
    )


def _single(value: object) -> object:
    if _is_row(value):
        raise InvalidEvent("outputs", "several values in the place of one: name the outputs")
    return plain("outputs", value)


def _said(value: object, *, is_class: bool) -> Row:
    value = _single(value)
    if value is None:
        return {}
    return {"score": value} if isinstance(value, float) and not is_class else {"decision": class_name(value)}


def _probabilities(answer: Any, classes: Any, positive: object, decide: Decide | None) -> list[Row]:
    rows = _listed(answer)
    if rows and not isinstance(rows[0], list):
        return [{"score": _single(value)} for value in rows]
    if rows and rows[0]:
        _single(rows[0][0])
    width = len(rows[0]) if rows else 0
    names = (
        [str(place) for place in range(width)]
        if classes is None
        else [class_name(c) for c in _listed(classes)]
    )
    if rows and len(names) != width:
        raise InvalidEvent("probabilities", f"{width} for {len(names)} classes")
    chosen = (
        names[1] if positive is None and width == 2 else None if positive is None else class_name(positive)
    )
    if rows and chosen is not None and chosen not in names:
        raise InvalidEvent("positive", "is none of the model's classes")
    said: list[Row] = []
    for row in rows:
        its = dict(zip(names, row, strict=True))
        fields: Row = {} if chosen is None else {"score": its[chosen]}
        if width != 2:
            fields["probabilities"] = its
        decision = None if decide is None else decide(its)
        if decision is not None:
            fields["decision"] = class_name(decision)
        said.append(fields)
    return said
