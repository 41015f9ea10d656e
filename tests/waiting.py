"""Waiting in tests: with a limit, and with a word about what was seen instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5
# a limit ends what hangs; a machine that does other things meanwhile must not fail a test
_LEAST_LIMIT_S = 90.0


def eventually(check: Callable[[], Seen], *, within: float = 10, saying: str = "") -> Seen:
    """Ask `check` again and again until it returns something true, and return that.

    An `AssertionError` raised by `check` counts as "not yet", so that a check may be written as assertions; a check
    that returns None has passed.

    Args:
        check: what is asked.
        within: seconds that a slow answer may take; no wait ends before a minute and a half, whatever it says.
        saying: what is waited for.

    Raises:
        AssertionError: not within that time; says `saying` and what the last call returned or asserted.
    """
    within = max(within, _LEAST_LIMIT_S)
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
