"""The histogram beside other sketches, on the same data in one run: bytes, errors, time to add, and whether merging changes the answer.

Lines are named ``sketches.<shape>.<sketch>.<what>``. Shapes: a lognormal latency (ms), a normal, scores in [0, 1], a heavy tail (Pareto,
exponent 1), integers with repeats, and numbers of both signs. Sketches: ``ours_p5``, ``_p7``, ``_p10`` and ``ours_inferred`` (the precision
that ``hindcast contract infer`` chooses); KLL and t-digest of DataSketches, DDSketch, HdrHistogram, OpenTelemetry's exponential histogram.
One that is not installed, or takes no data of a shape, is named on stderr and left out. Per sketch:

- ``bytes``: as it is stored or sent, each in its own format (HdrHistogram's is compressed); ``bytes_deflated``: after zlib;
- ``relative_error_q<share>``: of the quantile's value, against numpy's ``inverted_cdf`` of all values;
- ``rank_error_q<share>``: how far the share is from the shares below, and up to, the answer;
- ``add_us``: CPU per value, adding all in one call where the library takes arrays, else one by one;
- ``merge_us``: CPU per part, merging 100, until a median is answered;
- ``merge_changes``: the greatest relative difference of these quantiles between the 100 merged and one that saw all values.
"""

from __future__ import annotations

import json
import os
import sys
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file: the checkout is not on the path

import numpy as np
from _sketch_peers import DDSketch, Exponential, Floats, Hdr, Kll, Ours, Peer, TDigest, Unfit

from stream_processors.contracts.infer import precision_of

SHARES = (0.01, 0.5, 0.9, 0.99, 0.999)
PARTS = 100
# Steps per unit that HdrHistogram counts in: microseconds of a latency in ms, millionths of a score.
STEPS = {"integers": 1.0, "uniform": 1e6}


def shapes(n: int) -> Mapping[str, Floats]:
    """The data: n doubles of each shape."""
    chance = np.random.default_rng(2026)
    return {
        "lognormal": chance.lognormal(3, 0.8, n),
        "normal": chance.normal(288, 8, n),
        "uniform": chance.random(n),
        "heavy_tail": chance.pareto(1, n) + 1,
        "integers": np.floor(chance.exponential(40, n)),
        "mixed_sign": chance.normal(0, 100, n),
    }


def makers(values: Floats, shape: str) -> Mapping[str, Callable[[], Peer]]:
    """An empty sketch of each kind."""
    inferred = precision_of(values)
    return {
        "ours_p5": lambda: Ours(5),
        "ours_p7": lambda: Ours(7),
        "ours_p10": lambda: Ours(10),
        "ours_inferred": lambda: Ours(inferred),
        "kll_k200": lambda: Kll(200),
        "kll_k1000": lambda: Kll(1000),
        "tdigest_k200": lambda: TDigest(200),
        "ddsketch_1pct": lambda: DDSketch(0.01),
        "hdr_2_digits": lambda: Hdr(2, STEPS.get(shape, 1e3)),
        "otel_exponential_160": lambda: Exponential(160),
    }


def say(measure: str, value: float, unit: str, n: int) -> None:
    """One line of JSON."""
    line = {"measure": f"sketches.{measure}", "value": float(f"{value:.4g}"), "unit": unit, "n": n}
    print(json.dumps(line), flush=True)


def rank_error(ordered: Floats, answer: float, share: float) -> float:
    """Distance of the share from those of the values below, and up to, the answer."""
    below, upto = (np.searchsorted(ordered, answer, side) / ordered.size for side in ("left", "right"))
    return float(max(0.0, below - share, share - upto))


def measure(name: str, make: Callable[[], Peer], values: Floats, ordered: Floats) -> None:
    """Every line of one sketch on one shape."""
    n = values.size
    parts, merged, whole = [make() for _ in range(PARTS)], make(), make()
    for part, some in zip(parts, np.array_split(values, PARTS), strict=True):
        part.add(some)
    started = time.process_time()
    for part in parts:
        merged.merge(part)
    merged.quantiles([0.5])
    merge_us = (time.process_time() - started) / PARTS * 1e6
    started = time.process_time()
    whole.add(values)
    add_us = (time.process_time() - started) / n * 1e6
    found, of_parts = whole.quantiles(SHARES), merged.quantiles(SHARES)
    say(f"{name}.bytes", len(whole.to_bytes()), "bytes", n)
    say(f"{name}.bytes_deflated", len(zlib.compress(whole.to_bytes())), "bytes", n)
    for share, answer in zip(SHARES, found, strict=True):
        true = float(np.quantile(ordered, share, method="inverted_cdf"))
        # a true 0 that is answered by another number is off by all of it
        error = 0.0 if answer == true else abs(answer - true) / (abs(true) or abs(answer))
        label = f"q{share:g}"
        say(f"{name}.relative_error_{label}", error, "ratio", n)
        say(f"{name}.rank_error_{label}", rank_error(ordered, answer, share), "ratio", n)
    changes = max(abs(a - b) / (abs(a) or 1.0) for a, b in zip(found, of_parts, strict=True))
    say(f"{name}.add_us", add_us, "us", n)
    say(f"{name}.merge_us", merge_us, "us", PARTS)
    say(f"{name}.merge_changes", changes, "ratio", n)


def run(n: int) -> None:
    """Every sketch on n values of every shape."""
    missing = set()
    for shape, values in shapes(n).items():
        ordered = np.sort(values)
        for name, make in makers(values, shape).items():
            if name in missing:
                continue
            try:
                measure(f"{shape}.{name}", make, values, ordered)
            except ImportError as error:
                missing.add(name)
                print(
                    f"{name} is left out: no package {error.name} (the extra `bench-sketches` has it)",
                    file=sys.stderr,
                )
            except Unfit as reason:
                print(f"{name} is left out of {shape}: {reason}", file=sys.stderr)


if __name__ == "__main__":
    run(50_000 if os.environ.get("QUICK") else 500_000)
