"""Which whole numbers a type of ClickHouse's holds: as a parameter it takes one beyond them modulo the type's size, and says nothing. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evaluation.statements import placeholders
from producers.errors import ConfigError

_WHOLE = re.compile(r"(?P<unsigned>U?)Int(?P<bits>\d+)")
_MADE_OF_ONE = re.compile(r"(?:(?:Array|Nullable|LowCardinality)\()*(\w+)\)*")
_NUMBERS = re.compile(r"(?<![\w.])[+-]?\d+(?![\w.])")


def whole_numbers(kind: str) -> range | None:
    """Those that a type holds; None for a type of something else."""
    found = _WHOLE.fullmatch(kind)
    if found is None:
        return None
    size = 2 ** int(found["bits"])
    return range(size) if found["unsigned"] else range(-size // 2, size // 2)


def refuse_beyond_type(statement: str, parameters: Mapping[str, Any]) -> None:
    """Return where every whole number for a ``{name:Type}`` of a statement that reads is one that its type holds, in arrays too.

    What is no whole number is ClickHouse's to refuse.

    Raises:
        ConfigError: one is beyond; the message says how far the type reaches.
    """
    for name, kind in placeholders(statement):
        made_of = _MADE_OF_ONE.fullmatch(kind)
        held = whole_numbers(made_of[1]) if made_of else None
        if held is None or name not in parameters:
            continue
        for number in _NUMBERS.findall(str(parameters[name])):
            if int(number) not in held:
                raise ConfigError(
                    f"parameter {name} wants a whole number from {held[0]} to {held[-1]}, not {number!r}"
                )
