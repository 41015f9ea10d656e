"""One value of an event: what the caller has (Python, numpy, Decimal) made into what Avro takes. Pure.

What would change silently on its way is refused with `InvalidEvent`: a datetime without zone, an integer that a double
does not hold, a finite Decimal beyond a double, an instant that ClickHouse does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from producers.errors import InvalidEvent

EXACT = 2**53
INEXACT = "an integer beyond 2^53 changes as a double: send it as a string"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S = 86_400
# DateTime64(6) holds these years; beyond them ClickHouse would clip
EARLIEST = -2_208_988_800_000_000
LATEST = 10_413_791_999_999_999
_NULLS = {"NAType", "NaTType", "NullCategory"}
# of numpy's types for times: durations and instants
_TIMES = {"m", "M"}
_PLAIN = frozenset({float, str, int, bool})
_NO_KINDS: Mapping[str, str] = {}


class NullCategory:
    """A feature's null of which it is known that it is a category's; see `NULL_CATEGORY`."""


NULL_CATEGORY = NullCategory()


def micros(field: str, moment: object) -> int:
    """A datetime with a zone as µs since 1970 UTC.

    Raises:
        InvalidEvent: not a datetime, without zone or with one that does not know it, or outside the years 1900 to 2299.
    """
    if not isinstance(moment, datetime):
        raise InvalidEvent(field, f"a datetime is wanted, not {type(moment).__name__}")
    try:
        since = None if moment.utcoffset() is None else moment - _EPOCH
    except Exception:  # noqa: BLE001 - pandas' NaT is a datetime that raises, and a zone may be anybody's
        raise InvalidEvent(field, f"a moment is wanted, not {type(moment).__name__}") from None
    if since is None:
        raise InvalidEvent(field, "has no time zone: say datetime(…, tzinfo=UTC) or .astimezone()")
    value = (since.days * _DAY_S + since.seconds) * 1_000_000 + since.microseconds
    if not EARLIEST <= value <= LATEST:
        raise InvalidEvent(field, "outside the years 1900 to 2299")
    return value


def optional_micros(field: str, moment: object) -> int | None:
    """`micros`, or None for None."""
    return None if moment is None else micros(field, moment)


def number(field: str, value: object) -> float | None:
    """A number as a double; None stays None, NaN and infinities stay what they are.

    Raises:
        InvalidEvent: not a number, an integer beyond ±2^53, a whole Decimal beyond it that a double does not hold, a
            finite Decimal beyond a double.
    """
    if value is None or type(value) is float:  # also before: most values are one
        return value
    value = plain(field, value)
    if value is None or type(value) is float:
        return value
    if isinstance(value, int):
        if not -EXACT <= value <= EXACT:
            raise InvalidEvent(field, INEXACT)
        return float(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Decimal) and not value.is_snan():
        double = float(value)
        if value.is_finite() and double in {float("inf"), float("-inf")}:
            raise InvalidEvent(field, "a Decimal beyond a double")
        if abs(double) >= EXACT and value != double and value == value.to_integral_value():
            raise InvalidEvent(field, INEXACT)
        return double
    raise InvalidEvent(field, f"a number is wanted, not {type(value).__name__}")


def category(field: str, value: object) -> str | None:
    """A category as text: strings as they are, booleans ``true`` and ``false``, integers in digits; None stays None.

    Raises:
        InvalidEvent: anything else. A float is refused because 1.0 and 1 would be two categories.
    """
    if value is None or type(value) is str:  # also before, as in `number`
        return value
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


def boolean(field: str, value: object) -> bool:
    """Python's or numpy's true or false; a text or number is none, because ``"false"`` would be true.

    Raises:
        InvalidEvent: anything else.
    """
    value = plain(field, value)
    if isinstance(value, bool):
        return value
    raise InvalidEvent(field, f"True or False is wanted, not {type(value).__name__}")


def identifier(field: str, value: object) -> str:
    """An id as text: a string, an integer in digits, or a UUID.

    Raises:
        InvalidEvent: empty, None, of another type, or without UTF-8.
    """
    text = str(value) if type(value).__name__ == "UUID" else category(field, value)
    if not text:
        raise InvalidEvent(field, "is empty")
    return encodable(field, text)


def text(field: str, value: object) -> str:
    """A name as text, which may be empty; see `category`.

    Raises:
        InvalidEvent: None, no category, or without UTF-8.
    """
    found = category(field, value)
    if found is None:
        raise InvalidEvent(field, "is null")
    return encodable(field, found)


def encodable(field: str, text: str) -> str:
    """The text, if it has a form in UTF-8.

    Raises:
        InvalidEvent: it has half of a surrogate pair.
    """
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidEvent(field, "has half of a surrogate pair, which is no text in UTF-8") from None
    return text


def mapping(field: str, values: Any) -> dict[Any, Any]:
    """A copy of anything with keys and their values, such as a pandas Series; None is an empty one.

    Raises:
        InvalidEvent: anything else, also pairs in a list.
    """
    if type(values) is dict:
        return values.copy()
    if values is None:
        return {}
    try:
        # as `dict` tells a mapping: without keys it would take two letters for a name and its value
        if hasattr(values, "keys"):
            return dict(values)
    except Exception:  # noqa: BLE001, S110 - it is the caller's object, which may raise anything
        pass
    raise InvalidEvent(field, f"a mapping is wanted, not {type(values).__name__}")


def rate(field: str, value: object) -> float:
    """The probability with which an event was kept.

    Raises:
        InvalidEvent: not a number above 0 and up to 1.
    """
    found = number(field, value)
    if found is None or not 0 < found <= 1:
        raise InvalidEvent(field, "a number above 0 and up to 1 is wanted")
    return found


def truth_of(truth: object, truth_value: object) -> tuple[str | None, float | None]:
    """What a truth says as (class, number): a string or boolean is a class, a number with decimals a number.

    A whole number is both, as only the model's contract knows which is meant. ``truth_value`` is a number.

    Raises:
        InvalidEvent: a value of another kind, NaN, or a number with decimals beside a ``truth_value``.
    """
    said, true_number = plain("truth", truth), _true_number("truth_value", truth_value)
    if said is None or isinstance(said, str | bool):
        return category("truth", said), true_number
    double = _true_number("truth", said)
    true_class = category("truth", said) if isinstance(said, int) else None
    if true_number is None:
        return true_class, double
    if true_class is None:
        raise InvalidEvent("truth", "a number, which truth_value gives too: say one of them")
    return true_class, true_number


def _true_number(field: str, value: object) -> float | None:
    double = number(field, value)
    if double is not None and math.isnan(double):
        raise InvalidEvent(field, "is NaN, which says nothing; where it will never come, say kind='void'")
    return double


def split_features(
    features: Mapping[str, object],
    categorical: Collection[str] = (),
    kinds: Mapping[str, str] = _NO_KINDS,
) -> tuple[dict[str, float | None], dict[str, str | None]]:
    """Features as (numeric, categorical).

    Strings and booleans are categories; ints, floats, Decimals and numpy's scalars are numbers. A name in
    ``categorical`` is always a category, whatever its value. None is a null: of a category if its name is in
    ``categorical``, else of a number; `NULL_CATEGORY` is one of a category.

    A name in ``kinds`` (``numeric`` or ``categorical``, what a contract says) is of that kind where its value can be: an
    int as a category is its digits, a boolean as a number 1 or 0, and None is a null of that kind. A string cannot be a
    number, nor a number with decimals a category: those keep the place that their type gives them.

    Raises:
        InvalidEvent: a value that would change silently or has no place; names the feature.
    """
    numbers: dict[str, float | None] = {}
    categories: dict[str, str | None] = {}
    for name, value in features.items():
        kind = type(value)
        if kind is str:
            categories[name] = value  # type: ignore[assignment]  # kind says so
        elif kind is float and name not in categorical:
            numbers[name] = value  # type: ignore[assignment]  # kind says so
        elif name in kinds:
            _place_promised(name, value, kinds[name], numbers, categories)
        elif kind is bool or name in categorical:
            categories[name] = category(f"features.{name}", value)
        else:
            _place(name, value, numbers, categories)
    return numbers, categories


def _place_promised(
    name: str,
    value: object,
    promised: str,
    numbers: dict[str, float | None],
    categories: dict[str, str | None],
) -> None:
    field = f"features.{name}"
    value = plain(field, value)
    if isinstance(value, str) or (promised == "categorical" and (value is None or isinstance(value, int))):
        categories[name] = category(field, value)
    else:
        numbers[name] = number(field, value)


def _place(
    name: str, value: object, numbers: dict[str, float | None], categories: dict[str, str | None]
) -> None:
    field = f"features.{name}"
    if value is NULL_CATEGORY:
        categories[name] = None
        return
    value = plain(field, value)
    if isinstance(value, str | bool):
        categories[name] = category(field, value)
    else:
        numbers[name] = number(field, value)


def plain(field: str, value: Any) -> object:
    """A numpy scalar as Python's, NA and NaT as None, anything else as it is.

    A time of numpy stays one, as of some units it would become a number.

    Raises:
        InvalidEvent: several values.
    """
    if value is None or type(value) in _PLAIN:
        return value
    if type(value).__name__ in _NULLS:
        return None
    try:
        item = getattr(value, "item", None)
        found = item() if callable(item) else value
    except Exception:  # noqa: BLE001 - numpy's raise ValueError, a tensor's RuntimeError
        raise InvalidEvent(field, f"a single value is wanted, not {type(value).__name__}") from None
    is_time = getattr(getattr(value, "dtype", None), "kind", None) in _TIMES
    return value if is_time and found is not None else found
