"""Waiting in tests: with a limit, and with a word about what was seen instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5


def eventually(check: Callable[[], Seen], *, within: float = 10, saying: str = "") -> Seen:
    """Ask `check` again and again until it returns something true, and return that.

    An `AssertionError` raised by `check` counts as "not yet", so that a check may be written as assertions; a check
    that returns None has passed.

    Raises:
        AssertionError: not within `within` seconds; says `saying` and what the last call returned or asserted.
    """
    limit = time.monotonic() + within
    pause = _FIRST_PAUSE_S
    while True:
        try:
            seen = check()
        except AssertionError as not_yet:
            last: object = not_yet
        else:
            if seen is None or seen:
                return seen
            last = repr(seen)
        if time.monotonic() >= limit:
            raise AssertionError(f"not within {within} s: {saying or 'the check'}; last seen: {last}")
        time.sleep(min(pause, max(0.0, limit - time.monotonic())))
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)
