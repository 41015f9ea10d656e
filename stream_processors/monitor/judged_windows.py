"""Which windows are judged, and against what: from the contract alone.

Judged is the smallest of base window and roll-ups that is at least an hour (a day against training, whose windows are days at best) and reaches the
minimum sample (design: "References").
"""

from __future__ import annotations

from stream_processors.contracts.model import Contract, Windows
from stream_processors.contracts.values import seconds
from stream_processors.windows import DAY, MONTH, SECOND, WEEK, Width, Window, window_of

TRAINING = "training"
NO_REFERENCE = ""

_LEAST = {TRAINING: Width(DAY), NO_REFERENCE: Width(3_600 * SECOND)}


def reference_name(contract: Contract | None) -> str:
    """The reference that windows are judged against, by name; empty for none.

    LATER: ``previous``, ``seasonal`` and ``version`` (design: "References") are named here; each is one more question to the record.
    """
    if contract is None or TRAINING not in contract.references:
        return NO_REFERENCE
    wanted = contract.drift.references
    return TRAINING if not wanted or TRAINING in wanted else NO_REFERENCE


def judged_widths(contract: Contract | None) -> tuple[Width, ...]:
    """Widths of the windows that are judged, rising: never empty. Without a reference there is nothing to gain from more than one."""
    windows = contract.windows if contract else Windows()
    reference = reference_name(contract)
    least = _LEAST[reference]
    widths = {Width(windows.base * SECOND), *(_rollup(text) for text in windows.rollups)}
    enough = sorted((w for w in widths if w and _length(w) >= least.micros), key=_length)
    found = tuple(enough) or (_sum_of_base(Width(windows.base * SECOND), least),)
    return found if reference else found[:1]


def _sum_of_base(base: Width, least: Width) -> Width:
    """A width of at least ``least`` that base windows add up to, where the contract lists none: they all divide a day."""
    if base.micros >= least.micros:
        return base
    return least if least.micros % base.micros == 0 else Width(DAY)


def judged_windows(contract: Contract | None, start: int, end: int) -> list[Window]:
    """The judged windows that a base window ``[start, end)`` (microseconds) is part of, smallest first.

    A base window that none holds, because it was made under another contract, is judged as it is.
    """
    holding = [window_of(start, width) for width in judged_widths(contract)]
    return [window for window in holding if end <= window.end] or [Window(start, end)]


def width_of(window: Window) -> Width:
    """The width of an aligned window; anything but the fixed widths is a calendar month."""
    length = window.end - window.start
    return Width(length) if length <= DAY or length == WEEK else MONTH


def _length(width: Width) -> int:
    return 28 * DAY if width.is_month else width.micros


def _rollup(text: str) -> Width | None:
    """A roll-up's width; None for one that no alignment is defined for, such as three days."""
    if text == "month":
        return MONTH
    try:
        return Width(seconds(text) * SECOND)
    except ValueError:
        return None
