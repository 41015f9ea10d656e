"""Values keep what they mean on their way into an event, or are refused by name."""

from __future__ import annotations

import enum
import math
import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.errors import InvalidEvent
from producers.values import EXACT, category, identifier, micros, number, split_features, whole


class Colour(str, enum.Enum):  # noqa: UP042 - the older spelling is the one whose str() misleads
    """A string enum."""

    RED = "red"


NAIVE = datetime(2024, 1, 1)  # noqa: DTZ001 - a datetime without zone is the subject


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.5, 1.5),
        (7, 7.0),
        (EXACT, 2.0**53),
        (-EXACT, -(2.0**53)),
        (True, 1.0),
        (Decimal("0.25"), 0.25),
        (Decimal(2**60), 2.0**60),
        (Decimal("9007199254740993.5"), 2.0**53 + 2),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.int64(-3), -3.0),
        (np.bool_(True), 1.0),
        (np.array(2.5), 2.5),
        (math.inf, math.inf),
        (None, None),
        (pd.NA, None),
        (pd.NaT, None),
    ],
)
def test_numbers(value: object, expected: float | None) -> None:
    """Whatever holds one number becomes that double."""
    made = number("score", value)
    assert made == expected
    assert made is None or type(made) is float


def test_nan_stays_nan() -> None:
    """NaN is a value of its own, not a null."""
    assert math.isnan(number("score", np.float32("nan")) or 0.0)


@pytest.mark.parametrize(
    "value",
    [
        EXACT + 1,
        -EXACT - 1,
        np.uint64(2**60),
        Decimal("1e400"),
        Decimal(2**53 + 1),
        Decimal(-(2**53) - 1),
        Decimal("12345678901234567890.0"),
        Decimal("sNaN"),
        "1.5",
        [1.0],
        np.zeros(2),
        NAIVE,
        1j,
    ],
)
def test_what_is_no_double_is_refused(value: object) -> None:
    """An integer beyond 2^53, a Decimal beyond a double and anything that is no number are refused by name."""
    with pytest.raises(InvalidEvent) as refusal:
        number("features.age", value)
    assert refusal.value.field == "features.age"


@given(st.integers())
def test_an_integer_is_exact_or_refused(value: int) -> None:
    """No integer changes silently."""
    try:
        assert number("n", value) == value
    except InvalidEvent:
        assert abs(value) > EXACT


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("UA", "UA"),
        ("", ""),
        (True, "true"),
        (np.bool_(False), "false"),
        (1, "1"),
        (np.int64(2**60), str(2**60)),
        (np.str_("x"), "x"),
        (Colour.RED, "red"),
        (None, None),
        (pd.NA, None),
    ],
)
def test_categories(value: object, expected: str | None) -> None:
    """Strings stay, booleans are true and false, integers are their digits."""
    made = category("decision", value)
    assert made == expected
    assert made is None or type(made) is str


@pytest.mark.parametrize("value", [1.0, np.float64(1), b"UA", ["UA"], NAIVE])
def test_what_is_no_category_is_refused(value: object) -> None:
    """A float is no category, because 1.0 and 1 would be two."""
    with pytest.raises(InvalidEvent, match="decision"):
        category("decision", value)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), 1_704_067_200_000_000),
        (pd.Timestamp("2024-01-01T00:00:00.000001Z"), 1_704_067_200_000_001),
    ],
)
def test_instants(moment: datetime, expected: int) -> None:
    """A datetime with any zone is its microseconds since 1970 UTC, exactly."""
    assert micros("event_time", moment) == expected


@pytest.mark.parametrize(
    "moment",
    [
        NAIVE,
        "2024-01-01",
        1_704_067_200,
        datetime(1899, 12, 31, tzinfo=UTC),
        datetime(9999, 1, 1, tzinfo=UTC),
    ],
)
def test_what_is_no_instant_is_refused(moment: object) -> None:
    """No zone, no datetime, or a year that ClickHouse would clip: refused by name."""
    with pytest.raises(InvalidEvent, match="true_at"):
        micros("true_at", moment)


def test_identifiers() -> None:
    """An id is text, digits or a UUID, and never empty."""
    one = uuid.uuid4()
    assert [identifier("id", value) for value in ("a", 17, one)] == ["a", "17", str(one)]
    for nothing in ("", None, math.nan):
        with pytest.raises(InvalidEvent, match="id"):
            identifier("id", nothing)


def test_whole_numbers() -> None:
    """A place is an integer of 32 bits."""
    assert [whole("rank", value) for value in (1, np.int64(2), None)] == [1, 2, None]
    for wrong in (1.0, True, 2**31):
        with pytest.raises(InvalidEvent, match="rank"):
            whole("rank", wrong)


def test_features_are_split_by_type() -> None:
    """Numbers and categories go to their maps; None is a number's null unless its name is hinted."""
    numbers, categories = split_features(
        {
            "age": 41,
            "income": np.float32(1.5),
            "vip": False,
            "carrier": "UA",
            "zip": 10_001,
            "temp": None,
            "dest": None,
        },
        categorical={"zip", "dest"},
    )
    assert numbers == {"age": 41.0, "income": 1.5, "temp": None}
    assert categories == {"vip": "false", "carrier": "UA", "zip": "10001", "dest": None}


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, NAIVE, b"x", 2**60, object()])
def test_a_feature_without_a_place_is_named(value: object) -> None:
    """A feature that is neither number nor category is refused by its name, without its value."""
    with pytest.raises(InvalidEvent) as refusal:
        split_features({"fine": 1, "embedding": value})
    assert refusal.value.field == "features.embedding"
    assert repr(value) not in str(refusal.value)


@pytest.mark.parametrize(
    ("value", "as_numeric", "as_categorical"),
    [
        (None, ({"x": None}, {}), ({}, {"x": None})),
        (7, ({"x": 7.0}, {}), ({}, {"x": "7"})),
        (np.int64(7), ({"x": 7.0}, {}), ({}, {"x": "7"})),
        (True, ({"x": 1.0}, {}), ({}, {"x": "true"})),
        (1.5, ({"x": 1.5}, {}), ({"x": 1.5}, {})),
        (np.float64(2), ({"x": 2.0}, {}), ({"x": 2.0}, {})),
        (Decimal(2), ({"x": 2.0}, {}), ({"x": 2.0}, {})),
        ("a", ({}, {"x": "a"}), ({}, {"x": "a"})),
    ],
    ids=str,
)
def test_a_promised_kind_decides_where_the_value_can_be_of_it(
    value: object, as_numeric: object, as_categorical: object
) -> None:
    """Over the type of the value, and over ``categorical``; what cannot be of the kind keeps the place of its type."""
    assert split_features({"x": value}, (), {"x": "numeric"}) == as_numeric
    assert split_features({"x": value}, {"x"}, {"x": "numeric"}) == as_numeric
    assert split_features({"x": value}, (), {"x": "categorical"}) == as_categorical
    assert split_features({"x": value}, {"x"}, {"x": "categorical"}) == as_categorical
