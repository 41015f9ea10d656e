"""What `benchmarks/profiler.py` compares: the peers do the profiler's job, and a peer that does another is no peer."""

from __future__ import annotations

import math
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from producers.codec import encode
from stream_processors.admission import admit
from stream_processors.contracts.effect import ContractHistory
from stream_processors.decoding import decode_batch
from stream_processors.profiler.counting import Counting
from stream_processors.profiler.sketch_batch import Stretch, encoded, sketch_batch

# only for these imports: left on the path, a benchmark named like a room of the tests would stand before it
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path[:0] = [str(BENCHMARKS), str(BENCHMARKS / "peers")]
try:
    from _peers import PeerFailed, compare, interpreter, requirements
    from _predictions import event
    from _profiling import together
    from _totals import Totals
    from sketching import Sketches
finally:
    del sys.path[:2]


def predictions(count: int) -> list[bytes]:
    """Messages as the benchmark puts them on the topic."""
    now = datetime.now(UTC)
    return [encode("prediction", event(number, now)) for number in range(count)]


def as_profiled(values: list[bytes]) -> Totals:
    """What the profiler's own code counts."""
    group = decode_batch(values).of("prediction")
    assert group is not None
    appended_at = np.full(len(values), int(datetime.now(UTC).timestamp() * 1e6))
    counting = Counting()
    admission = admit(group.batch, appended_at, ContractHistory())
    counting.count(group.batch, np.zeros(len(values), dtype=np.int64), admission)
    stretches = {0: Stretch(0, len(values))}
    return totals(encoded(sketch_batch(counting.drain(), "delta", "topic", stretches)))


def as_peers_do(values: list[bytes]) -> Totals:
    """What the loop that the peers share counts."""
    sketches = Sketches()
    for value in values:
        sketches.count(value)
    return totals(sketches.drain())


def totals(sketches: list[bytes]) -> Totals:
    """What messages of sketch.v1 count."""
    found = Totals()
    found.add(sketches)
    return found


def unusual() -> list[bytes]:
    """Values that are none: null, NaN, infinite, both zeros, absent; an error, a probability, another version."""
    now = datetime.now(UTC)
    rows: list[dict[str, object]] = [
        {"numeric_features": {"x": x, "y": 1.0}, "categorical_features": {"c": c}}
        for x, c in [
            (None, None),
            (math.nan, "a"),
            (math.inf, ""),
            (-math.inf, "a"),
            (0.0, "a"),
            (-0.0, "a"),
            (-1e-300, "ü"),
        ]
    ]
    rows.append({"numeric_features": {"y": -3.0}, "status": "error", "error": "Timeout"})
    rows.append({"probabilities": {"yes": 0.25, "no": 0.75}, "model_version": "2"})
    return [encode("prediction", {**event(number, now), **row}) for number, row in enumerate(rows)]


def test_the_peers_do_the_profilers_job() -> None:
    """Event by event in plain Python, every bin and value has the profiler's count, and every column its sums and extremes."""
    values = predictions(500)
    found = as_peers_do(values)
    compare(found, as_profiled(values))
    assert found.events == 500
    # 16 numeric features, 4 categorical ones, score, latency and decision of each event, and the event
    assert found.counts.total() == 500 * (16 + 4 + 3 + 1)


def test_they_do_it_with_values_that_are_none() -> None:
    """What is no number has its own count, in both."""
    values = unusual()
    found = as_peers_do(values)
    compare(found, as_profiled(values))
    assert {"nulls", "nans", "plus_inf", "minus_inf", "absent"} <= {of[-1] for of in found.counts}


@pytest.mark.parametrize("changed", ["score", "latency_ms"])
def test_a_peer_that_leaves_a_column_out_is_no_peer(changed: str) -> None:
    """The comparison sees it though the number of events is right."""
    now = datetime.now(UTC)
    events = [event(number, now) for number in range(50)]
    less = [encode("prediction", {**one, changed: None}) for one in events]
    with pytest.raises(PeerFailed, match="differ"):
        compare(as_peers_do(less), as_profiled([encode("prediction", one) for one in events]))


def test_a_peer_whose_sums_are_others_is_no_peer() -> None:
    """Bins hide a small change of a value; its sum does not."""
    now = datetime.now(UTC)
    exact, near = ([encode("prediction", {**event(0, now), "score": score})] for score in (0.5, 0.5001))
    with pytest.raises(PeerFailed, match="differ"):
        compare(as_peers_do(near), as_profiled(exact))


def test_a_peer_that_misses_an_event_is_no_peer() -> None:
    """Its speed is not of the same job: the comparison says how many figures differ."""
    values = predictions(100)
    with pytest.raises(PeerFailed, match="differ"):
        compare(as_peers_do(values[1:]), as_profiled(values))


def test_peers_that_cannot_be_installed_are_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No interpreter, and nothing that a later run would take for one."""
    wanted = [str(tmp_path / "missing-1.0-py3-none-any.whl")]
    assert interpreter(wanted, tmp_path) is None
    assert interpreter(wanted, tmp_path) is None
    assert capsys.readouterr().out == ""


def test_the_peers_are_the_extra() -> None:
    """What is compared with is what pyproject.toml names."""
    assert {"bytewax", "faust-streaming", "quixstreams"} <= {
        name.partition(">")[0].partition("[")[0] for name in requirements()
    }


def test_two_profilers_are_measured_while_both_work() -> None:
    """Before the second has begun and after the first has ended, a rate would be that of one."""
    early = {"batches": [(0.0, 0.0, 10), (1.0, 0.5, 20), (2.0, 1.0, 30), (3.0, 1.5, 40)], "rss_mb": 100.0}
    late = {"batches": [(1.0, 0.1, 5), (2.0, 0.5, 15), (3.0, 0.9, 25), (9.0, 3.0, 99)], "rss_mb": 120.0}
    done = together([early, late])
    assert (done.events, done.seconds, done.rss_mb) == (20 + 20, 2.0, 120.0)
    assert done.cpu_seconds == pytest.approx(1.0 + 0.8)
