"""How many verdicts a second the monitor makes of sketches that it has, and how many of them were really compared.

A window as in the demo: 900 events, 22 slices of which 4 reach the minimum sample, 3 numeric and 3 categorical columns judged against 31 days.
Counted is all that is done per verdict apart from the servers' part: comparing, adjusting for how many were tested, and encoding the message.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file: the checkout is not on the path

import numpy as np

from producers.codec import encode
from stream_processors.contracts.effect import PublishedContract
from stream_processors.contracts.model import Contract, Feature, Windows
from stream_processors.monitor.drift_messages import drift_records
from stream_processors.monitor.headings import ModelVersion
from stream_processors.monitor.judge import judge
from stream_processors.monitor.progress import JudgedWindow
from stream_processors.monitor.reference_series import ReferenceSeries
from stream_processors.monitor.window_facts import SliceSketches, WindowFacts
from stream_processors.sketches import CategoricalSketch, NumericSketch
from stream_processors.statistics.verdict import Sketch
from stream_processors.windows import DAY, Window

NUMERIC = ("departure_delay", "distance", "score")
CATEGORICAL = ("carrier", "origin", "destination")
SIZES = {"": 900, "origin=A": 300, "origin=B": 300, "origin=C": 300} | {f"carrier={n}": 50 for n in range(18)}
DAYS = 31


def sketches(rng: np.random.Generator, n: int) -> dict[str, Sketch]:
    """One slice's sketch of each column."""
    numbers = {name: NumericSketch.of(np.round(rng.lognormal(3, 1, n)), 7) for name in NUMERIC}
    values = {name: [f"v{v}" for v in rng.zipf(1.7, n) % 100] for name in CATEGORICAL}
    return {**numbers, **{name: CategoricalSketch.of(one) for name, one in values.items()}}


def window(rng: np.random.Generator, day: int) -> WindowFacts:
    """The facts on one day."""
    of = ModelVersion("flights", "production", "1", served=True)
    slices = {name: SliceSketches(n, columns=sketches(rng, n)) for name, n in SIZES.items()}
    return WindowFacts(JudgedWindow(of, Window(day * DAY, (day + 1) * DAY)), day, 0, slices)


def main() -> None:
    """Judge windows, and print what that took."""
    count = 20 if os.environ.get("QUICK") else 150
    rng = np.random.default_rng(1)
    features = {name: Feature(kind="numeric", precision=7) for name in NUMERIC}
    features |= {name: Feature(kind="categorical") for name in CATEGORICAL}
    contract = Contract(model="flights", features=features, windows=Windows(base=86400, rollups=()))
    published = PublishedContract.of(
        contract, effective_from=0, appended_at=0, lead_ms=0, partition=0, offset=0
    )
    series: dict[str, dict[str, list[Sketch]]] = defaultdict(lambda: defaultdict(list))
    for name, n in SIZES.items():
        for _ in range(DAYS):
            for column, sketch in sketches(rng, n).items():
                series[column][name].append(sketch)
    reference = ReferenceSeries(
        "training",
        "benchmark",
        {name: DAYS * n for name, n in SIZES.items()},
        frozenset(series),
        lambda column: series[column].items(),
    )
    windows = [window(rng, day) for day in range(count + 1)]
    judge(windows.pop(), published, reference)  # what a reference needs once is worked out here
    begun, verdicts, compared = time.process_time(), 0, 0
    for facts in windows:
        judgement = judge(facts, published, reference)
        compared += sum(one.verdict.p_value is not None for one in judgement.columns)
        for record in drift_records(judgement):
            encode("drift", record)
            verdicts += 1
    taken = time.process_time() - begun
    for measure, value, unit, n in (
        ("monitor.verdicts_per_s", verdicts / taken, "1/s", verdicts),
        ("monitor.ms_per_window", 1000 * taken / count, "ms", count),
        ("monitor.us_per_compared_column", 1e6 * taken / compared, "us", compared),
    ):
        print(json.dumps({"measure": measure, "value": round(value, 1), "unit": unit, "n": n}))


if __name__ == "__main__":
    main()
