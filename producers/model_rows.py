"""What went into a model and what came out, row by row: numpy, pandas, polars, Arrow, lists and dictionaries. Pure.

Nothing is imported to find out what a value is, so a service pays for no library that it does not use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from producers.errors import InvalidEvent

Row = dict[str, object]
Decide = Callable[[Mapping[str, float]], object]

_LISTS = ("tolist", "to_list", "to_pylist")
_NUMBER_KINDS = frozenset("biufc")


def feature_rows(inputs: Any, names: Sequence[str] | None = None) -> list[Row] | None:
    """The features of each row of a model's input; None for an input that does not say how many rows it has.

    A table gives its columns' names, a series its own; a dictionary is one row, in a list one row each. Other rows get
    ``names``, or ``f0``, ``f1`` … where there are none; a text or number that stands alone is one feature. Rows that are no
    list of values, such as images or those of sparse matrices, have no features.

    Raises:
        InvalidEvent: ``names`` are not as many as the columns, or a column that cannot be listed.
    """
    if isinstance(inputs, Mapping):
        return [dict(inputs)]
    kind = type(inputs)  # a frame itself answers to the names of its columns
    if hasattr(kind, "to_pylist") and hasattr(kind, "column_names"):
        return list(inputs.to_pylist())  # Arrow
    if hasattr(kind, "columns"):
        names = [str(name) for name in inputs.columns]
        return [dict(zip(names, row, strict=True)) for row in _rows_of_frame(inputs)]
    shape = getattr(inputs, "shape", None)
    if not shape:
        return _of_list(inputs, names) if isinstance(inputs, list | tuple) else None
    if len(shape) > 2 or not hasattr(inputs, "tolist"):
        return [{} for _ in range(shape[0])]
    own = getattr(inputs, "name", None) if len(shape) == 1 else None  # a series'
    return _of_list(_listed(inputs), names if own is None else [str(own)])


def class_name(value: object) -> str:
    """A class as text. The class 1.0 is ``1``: whoever trains on floats means the integer."""
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
        decide: makes the ``decision`` from the probabilities of one row, by class; None: there is none.

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


def _rows_of_frame(frame: Any) -> list[Any]:
    """The rows of a pandas or polars frame, each a sequence of Python values."""
    if not hasattr(type(frame), "iloc"):
        return list(frame.rows())  # polars
    # a hundred times as fast as taking the columns one by one, which is what a call with one row would feel
    rows: list[list[Any]] = frame.to_numpy(object).tolist()
    texts = [place for place, dtype in enumerate(frame.dtypes) if dtype.kind not in _NUMBER_KINDS]
    for row in rows if texts else ():
        for place in texts:
            row[place] = None if _is_nan(row[place]) else row[place]
    return rows


def _of_list(rows: Sequence[Any], names: Sequence[str] | None) -> list[Row]:
    features: list[Row] = []
    keys: Sequence[str] = names or ()
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
    if isinstance(values, list | tuple):
        return [_listed(value) if getattr(value, "ndim", 0) else value for value in values]
    method = next((name for name in _LISTS if hasattr(values, name)), None)
    if method is None:
        if hasattr(values, "__iter__") and not isinstance(values, str):
            raise InvalidEvent("rows", f"a list or array is wanted, not {type(values).__name__}")
        return [values]
    listed = getattr(values, method)()
    return listed if isinstance(listed, list) else [listed]


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _said(value: object, *, is_class: bool) -> Row:
    if value is None:
        return {}
    return {"score": value} if isinstance(value, float) and not is_class else {"decision": class_name(value)}


def _probabilities(answer: Any, classes: Any, positive: object, decide: Decide | None) -> list[Row]:
    rows = _listed(answer)
    if rows and not isinstance(rows[0], list):
        return [{"score": value} for value in rows]
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
        if decide is not None:
            fields["decision"] = class_name(decide(its))
        said.append(fields)
    return said
