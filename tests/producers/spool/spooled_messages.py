"""Messages for spools, and what comes back of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from producers.codec import encode
from producers.events import prediction_record
from producers.spool import Spool, Spooled
from producers.spool.names import SEGMENT, paths

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
HOUR = 1_760_000_400_000_000


def message(number: int, *, size: int = 40) -> Spooled:
    """The message of this number, whose value has that many bytes."""
    return Spooled("predictions", str(number).encode(), bytes([number % 256]) * size, "m", "test", HOUR)


def messages(first: int, beyond: int) -> list[Spooled]:
    """Those of a range of numbers."""
    return [message(number) for number in range(first, beyond)]


def prediction(number: int, *, environment: str = "production", filler: str = "") -> Spooled:
    """A real event."""
    record = prediction_record(
        prediction_id=f"p{number}",
        model="churn",
        model_version="1",
        environment=environment,
        event_time=HOUR,
        features={"age": float(number), "filler": filler},
        score=0.5,
        producer_id="service",
        sequence=number,
    )
    return Spooled(
        "predictions", f"p{number}".encode(), encode("prediction", record), "churn", environment, HOUR
    )


def delivered(spool: Spool) -> list[Spooled]:
    """All that can be claimed, in order; nothing of it is left."""
    found = []
    while (segment := spool.claim()) is not None:
        found += segment.messages()
        segment.done()
    return found


def numbers(found: list[Spooled]) -> list[int]:
    """The numbers of messages."""
    return [int(one.key) for one in found]


def segments(directory: Path) -> list[Path]:
    """Files named as segments, the oldest first."""
    return list(paths(directory, SEGMENT))


def child(call: str, *before: str) -> subprocess.Popen[str]:
    """A process that runs a function of spool_children.py; ``before`` is put before its command."""
    path = os.pathsep.join([str(ROOT), str(HERE)])
    return subprocess.Popen(
        [*before, sys.executable, "-c", f"import spool_children as c; c.{call}"],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
