"""One value of an event: what the caller has (Python, numpy, Decimal) made into what Avro takes. Pure.

What would change silently on its way is refused with `InvalidEvent`: a datetime without zone, an integer that a double
does not hold, a finite Decimal beyond a double, an instant that ClickHouse does not hold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from producers.errors import InvalidEvent

EXACT = 2**53
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# DateTime64(6) holds these years; beyond them ClickHouse would clip
EARLIEST = -2_208_988_800_000_000
LATEST = 10_413_791_999_999_999
_NULLS = {"NAType", "NaTType"}


def micros(field: str, moment: object) -> int:
    """A datetime with a zone as µs since 1970 UTC.

    Raises:
        InvalidEvent: not a datetime, without zone, or outside the years 1900 to 2299.
    """
    if not isinstance(moment, datetime):
        raise InvalidEvent(field, f"a datetime is wanted, not {type(moment).__name__}")
    if moment.utcoffset() is None:
        raise InvalidEvent(field, "has no time zone: say datetime(…, tzinfo=UTC) or .astimezone()")
    value = int((moment - _EPOCH) // _MICROSECOND)
    if not EARLIEST <= value <= LATEST:
        raise InvalidEvent(field, "outside the years 1900 to 2299")
    return value


def optional_micros(field: str, moment: object) -> int | None:
    """`micros`, or None for None."""
    return None if moment is None else micros(field, moment)


def number(field: str, value: object) -> float | None:
    """A number as a double; None stays None, NaN and infinities stay what they are.

    Raises:
        InvalidEvent: not a number, an integer beyond ±2^53, a finite Decimal beyond a double.
    """
    value = plain(field, value)
    if value is None or type(value) is float:
        return value
    if isinstance(value, int):
        if not -EXACT <= value <= EXACT:
            raise InvalidEvent(field, "an integer beyond 2^53 changes as a double: send it as a string")
        return float(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Decimal) and not value.is_snan():
        double = float(value)
        if value.is_finite() and double in {float("inf"), float("-inf")}:
            raise InvalidEvent(field, "a Decimal beyond a double")
        return double
    raise InvalidEvent(field, f"a number is wanted, not {type(value).__name__}")


def category(field: str, value: object) -> str | None:
    """A category as text: strings as they are, booleans ``true`` and ``false``, integers in digits; None stays None.

    Raises:
        InvalidEvent: anything else. A float is refused because 1.0 and 1 would be two categories.
    """
    value = plain(field, value)
    if value is None or type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return str.__str__(value)  # the text of a string enum, where str() gives its name
    if isinstance(value, int):
        return str(int(value))
    raise InvalidEvent(field, f"a string is wanted, not {type(value).__name__}")


def whole(field: str, value: object) -> int | None:
    """An integer that fits 32 bits; None stays None.

    Raises:
        InvalidEvent: not an integer, or too large.
    """
    value = plain(field, value)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidEvent(field, f"an integer is wanted, not {type(value).__name__}")
    if not -(2**31) <= value < 2**31:
        raise InvalidEvent(field, "an integer beyond 32 bits")
    return value


def identifier(field: str, value: object) -> str:
    """An id as text: a string, an integer in digits, or a UUID.

    Raises:
        InvalidEvent: empty, None, or of another type.
    """
    text = str(value) if type(value).__name__ == "UUID" else category(field, value)
    if not text:
        raise InvalidEvent(field, "is empty")
    return text


def text(field: str, value: object) -> str:
    """A name as text, which may be empty; see `category`.

    Raises:
        InvalidEvent: None, or no category.
    """
    if type(value) is str:
        return value
    found = category(field, value)
    if found is None:
        raise InvalidEvent(field, "is null")
    return found


def split_features(
    features: Mapping[str, object], categorical: Collection[str] = ()
) -> tuple[dict[str, float | None], dict[str, str | None]]:
    """Features as (numeric, categorical).

    Strings and booleans are categories; ints, floats, Decimals and numpy's scalars are numbers. A name in
    ``categorical`` is always a category, whatever its value. None is a null: of a category if its name is in
    ``categorical``, else of a number.

    Raises:
        InvalidEvent: a value that would change silently or has no place; names the feature.
    """
    numbers: dict[str, float | None] = {}
    categories: dict[str, str | None] = {}
    for name, value in features.items():
        kind = type(value)
        if name in categorical or kind is str or kind is bool:
            categories[name] = value if kind is str else category(f"features.{name}", value)  # type: ignore[assignment]  # kind says so
        elif kind is float:
            numbers[name] = value  # type: ignore[assignment]  # kind says so
        else:
            _place(name, value, numbers, categories)
    return numbers, categories


def _place(
    name: str, value: object, numbers: dict[str, float | None], categories: dict[str, str | None]
) -> None:
    field = f"features.{name}"
    value = plain(field, value)
    if isinstance(value, str | bool):
        categories[name] = category(field, value)
    else:
        numbers[name] = number(field, value)


def plain(field: str, value: Any) -> object:
    """A numpy scalar as Python's, pandas' NA and NaT as None, anything else as it is."""
    if value is None or type(value) in {float, str, int, bool}:
        return value
    if type(value).__name__ in _NULLS:
        return None
    item = getattr(value, "item", None)
    if not callable(item):
        return value
    try:
        return item()
    except (TypeError, ValueError):
        raise InvalidEvent(field, f"a single value is wanted, not {type(value).__name__}") from None
