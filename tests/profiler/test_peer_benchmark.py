"""What `benchmarks/profiler.py` compares: the peers do the profiler's job, and a peer that does another is no peer."""

from __future__ import annotations

import json
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
    from _totals import Totals, delta_totals, events_in, peer_totals
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
    return delta_totals(encoded(sketch_batch(counting.drain(), "delta", "topic", stretches)))


def as_peers_do(values: list[bytes]) -> Totals:
    """What the loop that the peers share counts."""
    sketches, found = Sketches(), Totals()
    for value in values:
        sketches.count(value)
    for message in sketches.drain():
        found += peer_totals(json.loads(message))
    return found


def test_the_peers_do_the_profilers_job() -> None:
    """Event by event in plain Python, every bin and value has the profiler's count."""
    values = predictions(500)
    found = as_peers_do(values)
    assert found == as_profiled(values)
    assert events_in(found) == 500
    # 16 numeric features, 4 categorical ones, score, latency and decision of each event, and the event
    assert sum(found.values()) == 500 * (16 + 4 + 3 + 1)


def test_a_peer_that_misses_an_event_is_no_peer() -> None:
    """Its speed is not of the same job: the comparison says how many counts differ."""
    values = predictions(100)
    with pytest.raises(PeerFailed, match="counts differ"):
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
