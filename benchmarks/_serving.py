"""The service that the latency measures of logging are taken in: one request after the other, each answered by some arithmetic and one call."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

FEATURES: dict[str, object] = {f"num_{i}": i * 1.1 for i in range(16)} | {
    f"cat_{i}": f"value{i}" for i in range(4)
}
# about a tenth of a millisecond of Python
_WORK = 1_500


def work() -> float:
    """What a small model does."""
    found = 0.0
    for place in range(_WORK):
        found += place * 0.5
    return found


def served(call: Callable[[], object] | None, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nanoseconds of each call, and of each whole answer."""
    clock = time.perf_counter_ns
    calls, answers = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for place in range(count):
        began = clock()
        work()
        before = clock()
        if call is not None:
            call()
        ended = clock()
        calls[place], answers[place] = ended - before, ended - began
    return calls, answers
