"""Inputs and answers of models, row by row: the same rows whatever they come in."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from producers import InvalidEvent
from producers.model_rows import answers_of_predict, answers_of_proba, class_name, feature_rows
from producers.values import NULL_CATEGORY

ROWS = [{"age": 41, "plan": "plus"}, {"age": 7, "plan": "basic"}]
NUMBERS = [{"f0": 1.5, "f1": 2.0}, {"f0": 3.0, "f1": -1.0}]
FRAME = pd.DataFrame(ROWS)


@pytest.mark.parametrize(
    "inputs",
    [
        FRAME,
        FRAME.astype({"plan": "category"}),
        FRAME.astype({"age": "Int64", "plan": "string"}),
        FRAME.set_index(pd.Index([7, 3])),
        pl.DataFrame(ROWS),
        pa.Table.from_pylist(ROWS),
        ROWS,
        tuple(ROWS),
    ],
    ids=lambda inputs: type(inputs).__name__,
)
def test_rows_of_tables_have_their_columns(inputs: Any) -> None:
    """Whatever the library, a row has its columns' names and Python's own values."""
    rows = feature_rows(inputs)
    assert rows == ROWS
    assert [type(value) for value in rows[0].values()] == [int, str]


@pytest.mark.parametrize(
    "inputs",
    [
        np.array([[1.5, 2.0], [3.0, -1.0]]),
        [[1.5, 2.0], [3.0, -1.0]],
        [(1.5, 2.0), (3.0, -1.0)],
        [np.array([1.5, 2.0]), np.array([3.0, -1.0])],
        ((1.5, 2.0), (3.0, -1.0)),
    ],
    ids=lambda inputs: type(inputs).__name__,
)
def test_rows_without_names_are_counted(inputs: Any) -> None:
    """Rows of an array or list get f0, f1 …, or the names that are known."""
    assert feature_rows(inputs) == NUMBERS
    named = feature_rows(inputs, ["x", "y"])
    assert named is not None
    assert [list(row) for row in named] == [["x", "y"], ["x", "y"]]


def test_what_is_alone_is_one_feature() -> None:
    """A series, a list of texts or a list of numbers is one feature; a dictionary is one row."""
    assert feature_rows(pd.Series(["a", "b"], name="text")) == [{"text": "a"}, {"text": "b"}]
    assert feature_rows(pd.Series(["a"])) == [{"f0": "a"}]
    assert feature_rows(["a long text", "another"], ["text"]) == [
        {"text": "a long text"},
        {"text": "another"},
    ]
    assert feature_rows([Decimal("1.5"), None]) == [{"f0": Decimal("1.5")}, {"f0": None}]
    assert feature_rows({"age": 41, "plan": None}) == [{"age": 41, "plan": None}]


def test_nothing_known_is_nothing_said() -> None:
    """Images and sparse rows have no features, and are counted; an iterator is not consumed; no rows are no rows."""
    assert feature_rows(np.zeros((2, 3, 3))) == [{}, {}]
    assert feature_rows(csr_array(np.eye(3))) == [{}, {}, {}]
    rows = iter([[1.0]])
    assert feature_rows(rows) is None
    assert next(rows) == [1.0]
    assert feature_rows(None) is None
    assert feature_rows(np.float64(3.0)) is None
    assert feature_rows(np.zeros((0, 4))) == feature_rows([]) == []
    assert feature_rows(pd.DataFrame({"a": []})) == []


def test_missing_values_are_those_of_their_kind() -> None:
    """NaN in a column of numbers is NaN; in a column of texts it is how pandas says that there is none, of which kind the type may say."""
    frame = pd.DataFrame({"x": [math.nan], "plan": [math.nan]}).astype({"plan": object})
    frame["kind"] = pd.Categorical([None], categories=["a"])
    (row,) = feature_rows(frame) or []
    assert math.isnan(row["x"])  # type: ignore[arg-type]  # which is the test
    assert (row["plan"], row["kind"]) == (None, NULL_CATEGORY)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (pd.DataFrame({"a": ["basic", None]}), NULL_CATEGORY),
        (pd.DataFrame({"a": ["basic", math.nan]}), NULL_CATEGORY),
        (pd.DataFrame({"a": [True, None]}), NULL_CATEGORY),
        (pd.DataFrame({"a": [1, None]}, dtype=object), None),
        (pd.DataFrame({"a": [None]}, dtype="string"), NULL_CATEGORY),
        (pd.DataFrame({"a": [None]}, dtype="boolean"), NULL_CATEGORY),
        (pd.DataFrame({"a": [None]}, dtype=pd.ArrowDtype(pa.string())), NULL_CATEGORY),
        (pd.DataFrame({"a": pd.Categorical([None], categories=[1, 2])}), None),
        (pd.DataFrame({"a": [None]}), None),
        (pl.DataFrame({"a": [None]}, schema={"a": pl.String}), NULL_CATEGORY),
        (pl.DataFrame({"a": [None]}, schema={"a": pl.Boolean}), NULL_CATEGORY),
        (pl.DataFrame({"a": [None]}, schema={"a": pl.Categorical}), NULL_CATEGORY),
        (pl.DataFrame({"a": [None]}, schema={"a": pl.Enum(["x"])}), NULL_CATEGORY),
        (pl.DataFrame({"a": [None]}, schema={"a": pl.Float64}), None),
        (pa.table({"a": pa.array([None], pa.string())}), NULL_CATEGORY),
        (pa.table({"a": pa.array([None], pa.bool_())}), NULL_CATEGORY),
        (pa.table({"a": pa.array([None], pa.string()).dictionary_encode()}), NULL_CATEGORY),
        (pa.table({"a": pa.array([None], pa.int64())}), None),
        (pd.Series(["basic", None], name="a"), NULL_CATEGORY),
        (pl.Series("a", [None], dtype=pl.String), NULL_CATEGORY),
        (pd.Series([None], name="a", dtype=object), None),
        (["basic", None], None),
        ([{"a": None}], None),
    ],
)
def test_a_null_is_of_the_kind_of_its_column(inputs: Any, expected: object) -> None:
    """Its type says it, or another row of the same call; where nothing does it is a number's, as everywhere."""
    (row,) = (feature_rows(inputs, None if hasattr(inputs, "shape") else ["a"]) or [])[-1:]
    assert row == {"a": expected}


def test_nulls_of_numbers_stay_what_they_are() -> None:
    """NaN of polars and of a numeric column of pandas is a value; an Int64 has its own null."""
    for inputs in (pl.DataFrame({"a": [math.nan]}), pd.DataFrame({"a": [math.nan]})):
        (row,) = feature_rows(inputs) or []
        assert math.isnan(row["a"])  # type: ignore[arg-type]  # which is the test
    assert feature_rows(pd.DataFrame({"a": [None]}, dtype="Int64")) == [{"a": pd.NA}]


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        (pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]), None),
        (pd.DataFrame([[1.0, 2.0]], columns=[1, "1"]), None),
        (pa.table([[1.0], [2.0]], names=["a", "a"]), None),
        (np.zeros((1, 2)), ["a", "a"]),
    ],
)
def test_two_columns_of_one_name_are_refused(inputs: Any, names: list[str] | None) -> None:
    """Neither of them is chosen."""
    with pytest.raises(InvalidEvent, match="features: two columns are named"):
        feature_rows(inputs, names)


@pytest.mark.parametrize("unit", ["ns", "D"])
def test_times_are_no_features(unit: str) -> None:
    """An array of times is refused in every unit, where numpy lists some of them as numbers."""
    for inputs in (np.zeros((2, 2), f"m8[{unit}]"), np.zeros(2, f"M8[{unit}]")):
        with pytest.raises(InvalidEvent, match="not times"):
            feature_rows(inputs)


def test_a_column_may_be_called_anything() -> None:
    """A frame's own methods are not looked for among its columns."""
    row = {"rows": 1, "columns": 2, "column_names": 3, "to_pylist": 4, "tolist": 5, "shape": 6}
    assert feature_rows(pd.DataFrame([row])) == feature_rows(pl.DataFrame([row])) == [row]


def test_wrong_names_are_refused() -> None:
    """Names that do not fit the columns would call a value what it is not."""
    with pytest.raises(InvalidEvent, match="features: 3 names for 2 columns"):
        feature_rows(np.zeros((1, 2)), ["a", "b", "c"])


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (True, "true"),
        (False, "false"),
        (np.bool_(True), "true"),
        (np.float32(1.0), "1"),
        (1.0, "1"),
        (-0.0, "0"),
        (0.5, "0.5"),
        (3, "3"),
        ("late", "late"),
    ],
)
def test_a_class_has_one_name(value: object, name: str) -> None:
    """A class trained as 1, 1.0 or true is written as its label is."""
    assert class_name(value) == name


@pytest.mark.parametrize(
    ("answer", "classes", "said"),
    [
        (np.array([0.5, 2.0]), None, [{"score": 0.5}, {"score": 2.0}]),
        (np.array([[0.5], [2.0]], dtype=np.float32), None, [{"score": 0.5}, {"score": 2.0}]),
        (pd.Series([0.5, 2.0]), None, [{"score": 0.5}, {"score": 2.0}]),
        ([0.5, 2.0], None, [{"score": 0.5}, {"score": 2.0}]),
        (0.5, None, [{"score": 0.5}]),
        (np.float64(0.5), None, [{"score": 0.5}]),
        ((np.array([0.5]), np.array([0.1])), None, [{"score": 0.5}]),
        (np.array(["late", "on_time"]), None, [{"decision": "late"}, {"decision": "on_time"}]),
        (np.array([3, -1]), None, [{"decision": "3"}, {"decision": "-1"}]),
        (np.array([True, False]), np.array([False, True]), [{"decision": "true"}, {"decision": "false"}]),
        (np.array([1.0, 0.0]), np.array([0.0, 1.0]), [{"decision": "1"}, {"decision": "0"}]),
        (["a", None], None, [{"decision": "a"}, {}]),
        ([np.float32(0.5), np.float64(2.0)], None, [{"score": 0.5}, {"score": 2.0}]),
        (np.array([]), None, []),
    ],
)
def test_what_predict_says(answer: Any, classes: Any, said: list[dict[str, object]]) -> None:
    """A class is a decision; a float of a model that has no classes is a score."""
    assert answers_of_predict(answer, classes) == {"": said}


def test_several_outputs_are_named() -> None:
    """A model of two outputs says two answers a row, under the names it was given, and none without names."""
    assert answers_of_predict(np.array([[1.0, 2.0], [3.0, 4.0]]), None, ["height", "weight"]) == {
        "height": [{"score": 1.0}, {"score": 3.0}],
        "weight": [{"score": 2.0}, {"score": 4.0}],
    }
    with pytest.raises(InvalidEvent, match="outputs: 2 values a row"):
        answers_of_predict(np.zeros((1, 2)), None)
    with pytest.raises(InvalidEvent, match="outputs: a list of 2 arrays"):
        answers_of_proba(np.zeros((1, 2)), None, ["height", "weight"])
    per_output = [np.array([[0.25, 0.75]]), np.array([[1.0, 0.0]])]
    assert answers_of_proba(per_output, [["a", "b"], ["c", "d"]], ["x", "y"]) == {
        "x": [{"score": 0.75}],
        "y": [{"score": 0.0}],
    }


def test_two_classes_have_a_score() -> None:
    """The score is the second class's probability, or that of the class called positive; the service's own rule decides."""
    answer, classes = np.array([[0.25, 0.75], [0.5, 0.5]]), np.array(["leave", "stay"])
    assert answers_of_proba(answer, classes) == {"": [{"score": 0.75}, {"score": 0.5}]}
    assert answers_of_proba(answer, classes, positive="leave") == {"": [{"score": 0.25}, {"score": 0.5}]}
    assert answers_of_proba(answer, classes, decide=lambda p: p["stay"] > 0.6) == {
        "": [{"score": 0.75, "decision": "true"}, {"score": 0.5, "decision": "false"}]
    }
    assert answers_of_proba(answer, classes, decide=lambda p: "stay" if p["stay"] > 0.6 else None) == {
        "": [{"score": 0.75, "decision": "stay"}, {"score": 0.5}]
    }
    assert answers_of_proba(answer, None) == {"": [{"score": 0.75}, {"score": 0.5}]}
    assert answers_of_proba(np.array([0.75, 0.5]), None) == {"": [{"score": 0.75}, {"score": 0.5}]}
    assert answers_of_proba(np.zeros((0, 2)), classes) == {"": []}


def test_more_classes_have_probabilities() -> None:
    """Each class has its own; a score only where one is called positive."""
    answer, classes = [[0.25, 0.5, 0.25]], np.array([1, 2, 3])
    probabilities = {"1": 0.25, "2": 0.5, "3": 0.25}
    assert answers_of_proba(answer, classes) == {"": [{"probabilities": probabilities}]}
    assert answers_of_proba(
        answer, classes, positive=2, decide=lambda p: max(p, key=lambda name: p[name])
    ) == {"": [{"probabilities": probabilities, "score": 0.5, "decision": "2"}]}


@pytest.mark.parametrize(
    ("answer", "classes", "positive", "problem"),
    [
        (np.zeros((1, 3)), ["a", "b"], None, "probabilities: 3 for 2 classes"),
        (np.zeros((1, 2)), ["a", "b"], "c", "positive: is none"),
        ({"a": 0.5}, None, None, "rows: a list or array is wanted, not dict"),
    ],
)
def test_answers_of_another_shape_are_refused(
    answer: Any, classes: Any, positive: object, problem: str
) -> None:
    """What would be called by a wrong name is not said at all."""
    with pytest.raises(InvalidEvent, match=problem):
        answers_of_proba(answer, classes, positive=positive)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_several_outputs_without_names_are_refused(rows: int) -> None:
    """However many rows: a list of arrays, one per output, and an array of three dimensions, have no single answer a row."""
    classes = [np.array([0, 1]), np.array([0, 1])]
    with pytest.raises(InvalidEvent, match="outputs: several values"):
        answers_of_proba([np.full((rows, 2), 0.5)] * 2, classes)
    with pytest.raises(InvalidEvent, match="outputs: several values"):
        answers_of_predict(np.zeros((rows, 1, 2)), None)
