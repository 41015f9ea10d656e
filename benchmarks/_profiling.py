"""A profiler as a process of its own, which says what it cost: ``python _profiling.py`` with HINDCAST_KAFKA, _TOPIC_PREFIX and _SLOT.

It stops once its group has counted what is on the topic, and prints one JSON object: ``batches`` are (clock, CPU seconds, events) after each
batch from the first to the last, and after the last flush; ``rss_mb`` is the most memory that it had. Clocks of processes of one machine agree.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file: the checkout is not on the path

from producers.settings import KafkaSettings
from stream_processors.processor_main import spare_cycles
from stream_processors.profiler.session import Session
from stream_processors.settings import ProcessorSettings
from stream_processors.status import StatusFile

# nothing has come for so long: it was all
_QUIET_S = 3.0
_LIMIT_S = 300

Batch = tuple[float, float, int]


@dataclass(frozen=True)
class Profiled:
    """What profilers did together while each was at work."""

    events: int
    seconds: float
    cpu_seconds: float
    rss_mb: float

    @property
    def per_second(self) -> float:
        """Events per second."""
        return self.events / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU microseconds per event."""
        return self.cpu_seconds / self.events * 1e6


def profiled(
    settings: KafkaSettings, count: int, *, processes: int = 1, environment: Mapping[str, str] | None = None
) -> Profiled:
    """Let that many profilers share the topic, on which there are ``count`` events that they have not read."""
    environment = {
        **os.environ,
        **(environment or {}),
        "HINDCAST_KAFKA": settings.bootstrap,
        "HINDCAST_TOPIC_PREFIX": settings.topic_prefix,
    }
    running = [
        subprocess.Popen(
            [sys.executable, __file__, str(count)],
            env={**environment, "HINDCAST_SLOT": str(slot)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for slot in range(processes)
    ]
    try:
        said = [one.communicate(timeout=_LIMIT_S)[0] for one in running]
    finally:
        for one in running:
            one.kill()
    if any(one.returncode for one in running):
        raise SystemExit("a profiler failed: nothing was measured")
    return together([json.loads(one) for one in said])


def together(said: Sequence[dict[str, object]]) -> Profiled:
    """The time that all of them worked in, and what they did in it."""
    runs: list[list[Batch]] = [one["batches"] for one in said]  # type: ignore[misc]  # as this file printed them
    begin, end = max(run[0][0] for run in runs), min(run[-1][0] for run in runs)
    parts = [[batch for batch in run if begin <= batch[0] <= end] for run in runs]
    return Profiled(
        sum(part[-1][2] - part[0][2] for part in parts),
        end - begin,
        sum(part[-1][1] - part[0][1] for part in parts),
        max(float(one["rss_mb"]) for one in said),  # type: ignore[arg-type]  # a number
    )


def batches_of(session: Session, status: StatusFile, count: int) -> list[Batch]:
    """Work until ``count`` events are done, or none has come for a while after the first; then flush."""
    done: list[Batch] = []
    heard = time.monotonic()
    while not done or (done[-1][2] < count and time.monotonic() - heard < _QUIET_S):
        session.step()
        if status.heartbeat.events > (done[-1][2] if done else 0):
            heard = time.monotonic()
            done.append((heard, time.process_time(), status.heartbeat.events))
    session.flush()
    if done[-1][2] >= count:  # else it waited meanwhile
        done.append((time.monotonic(), time.process_time(), done[-1][2]))
    return done


def peak_rss_mb() -> float:
    """The most memory that was resident at once; ``ru_maxrss`` on Linux may be that of the process which started this one."""
    status = Path("/proc/self/status")
    if not status.exists():
        per_mib = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_mib
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    assert found
    return int(found[1]) / 1024


def main() -> None:
    """Profile what is on the topic, and say how it went."""
    settings = ProcessorSettings.from_environment(os.environ)
    status = StatusFile("profiler", settings.slot, None)
    spare_cycles()  # as the process does
    with Session(settings, status, threading.Event()) as session:
        done = batches_of(session, status, int(sys.argv[1]))
    print(json.dumps({"batches": done, "rss_mb": peak_rss_mb()}))


if __name__ == "__main__":
    main()
