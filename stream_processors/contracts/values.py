"""What single fields of a contract hold: durations, numbers, names. Pure."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+)\s*(s|min|m|h|d|w)")
CENTURY_S = 36_525 * 86_400
# longer ones alone would fill a message of Kafka, and a sketch, a verdict or an alert names several
MAX_NAME_BYTES = 1_000


def seconds(value: object) -> int:
    """Seconds of ``"45d"``, ``"1h"``, ``"30s"``, a number, or a timedelta.

    Raises:
        ValueError: no duration, none of whole seconds, less than nothing or more than a century.
    """
    found: float
    if isinstance(value, timedelta):
        found = value.total_seconds()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found = value
    else:
        text = _DURATION.fullmatch(str(value).strip())
        if not text:
            raise ValueError("a duration such as 30s, 5min, 1h, 45d or 1w is wanted")
        found = int(text[1]) * _UNITS[text[2]]
    if not 0 <= found <= CENTURY_S:
        raise ValueError("a duration is from nothing to a century (36525d)")
    if found != math.floor(found):
        raise ValueError("a duration is of whole seconds")
    return int(found)


def duration(value: int) -> str:
    """Seconds in the largest unit that fits: ``86400`` is ``1d``."""
    unit = next(unit for unit in ("d", "h", "min", "s") if value % _UNITS[unit] == 0)
    return f"{value // _UNITS[unit]}{unit}"


Seconds = Annotated[int, BeforeValidator(seconds)]


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number is wanted")  # noqa: TRY004 - pydantic tells a ValueError
    return value


# pydantic would take `false` for 0, and 0 days of retention are for ever; `1e6` is text in YAML 1.1, and a number to people
Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, BeforeValidator(_no_truth_value)]


def _short(name: str) -> str:
    if len(name.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"a name is of at most {MAX_NAME_BYTES:,} bytes")
    return name


Name = Annotated[str, AfterValidator(_short)]
