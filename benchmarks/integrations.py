"""What the conveniences around a logger cost the caller beside `prediction()` with the same 20 features.

Time of the calling thread, the least of many runs: other processes of the machine and the sender's thread are not part of it.
``vs_prediction`` are ratios of the same run. A model costs nothing here, so a call of `Logged` is all ours.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file: the checkout is not on the path

import numpy as np
import pandas as pd

from producers import Logged, PredictionLogger
from producers.metrics import render
from producers.testing import MemorySink
from producers.trace import current_trace

CALLS = 200
NAMES = [f"feature_{place}" for place in range(20)]
FEATURES = {name: float(place) for place, name in enumerate(NAMES)}


class Free:
    """A model of two classes that answers at no cost, for any number of rows."""

    def __init__(self, rows: int) -> None:
        self.classes_ = ["stay", "leave"]
        self._answer = np.full((rows, 2), 0.5)

    def predict_proba(self, _rows: Any) -> np.ndarray:
        """The same answer every time."""
        return self._answer


def least_us(log: PredictionLogger, runs: int, work: Callable[[], object], calls: int = CALLS) -> float:
    """The least microseconds of this thread that a call took, over runs of some calls each, the queue empty before each."""
    best = float("inf")
    for _ in range(runs):
        log.flush()
        began = time.thread_time()
        for _ in range(calls):
            work()
        best = min(best, time.thread_time() - began)
    return best / calls * 1e6


def say(measure: str, value: float, unit: str, n: int) -> None:
    """One line of JSON."""
    line = {"measure": f"integrations.{measure}", "value": round(value, 3), "unit": unit, "n": n}
    print(json.dumps(line), flush=True)


def timed(log: PredictionLogger) -> None:
    """A prediction in a timed block."""
    with log.timed(features=FEATURES) as event:
        event.score = 0.5


def logged(log: PredictionLogger, runs: int, direct: float) -> None:
    """`Logged`, per row, of calls of one row and of many."""
    for rows, calls in ((1, CALLS), (100, 4)):
        array = np.arange(rows * 20, dtype=float).reshape(rows, 20)
        frame = pd.DataFrame(array, columns=NAMES)
        model = Logged(Free(rows), log, features=NAMES, strict=True)
        for kind, inputs in (("array", array), ("frame", frame)):
            per_row = least_us(log, runs, partial(model.predict_proba, inputs), calls) / rows
            say(f"logged_{kind}_of_{rows}_us_per_row", per_row, "us", runs * calls * rows)
            say(f"logged_{kind}_of_{rows}_vs_prediction", per_row / direct, "ratio", runs * calls * rows)


def main() -> None:
    """Each convenience beside the call itself."""
    runs = 30 if os.environ.get("QUICK") else 300
    n = runs * CALLS
    with PredictionLogger(model="bench", model_version="1", sink=MemorySink()) as log:
        say("trace_without_opentelemetry_us", least_us(log, runs, current_trace), "us", n)
        direct = least_us(log, runs, lambda: log.prediction(features=FEATURES, score=0.5))
        say("prediction_us", direct, "us", n)
        in_block = least_us(log, runs, lambda: timed(log))
        say("timed_us", in_block, "us", n)
        say("timed_vs_prediction", in_block / direct, "ratio", n)
        logged(log, runs, direct)
        say("render_metrics_us", least_us(log, runs, lambda: render(log), 10), "us", runs * 10)
        from opentelemetry.sdk.trace import TracerProvider  # last: from here on it is there

        with TracerProvider().get_tracer("bench").start_as_current_span("request"):
            say("trace_us", least_us(log, runs, current_trace), "us", n)
            traced = least_us(log, runs, lambda: log.prediction(features=FEATURES, score=0.5))
        say("prediction_in_a_span_vs_prediction", traced / direct, "ratio", n)


if __name__ == "__main__":
    main()
