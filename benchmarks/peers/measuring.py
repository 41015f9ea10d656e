"""What a peer is told, and what it says of itself: time and CPU of its whole process between two of its events."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

BROKER = os.environ["PEER_BROKER"]
PREDICTIONS = os.environ["PEER_PREDICTIONS"]
SKETCHES = os.environ["PEER_SKETCHES"]
EVENTS = int(os.environ["PEER_EVENTS"])
RESULT = Path(os.environ["PEER_RESULT"])


class Meter:
    """Writes what the events took, as JSON, at the last of them; its clock begins after the first tenth of them, which warm up."""

    def __init__(self) -> None:
        self._begun = self._seen = 0
        self._first = max(1, EVENTS // 10)
        self._wall = self._cpu = 0.0

    def begin(self) -> None:
        """Say that the work on an event begins."""
        self._begun += 1
        if self._begun == self._first:
            self._wall, self._cpu = time.perf_counter(), time.process_time()

    def end(self) -> bool:
        """Say that an event is counted; true for the last."""
        self._seen += 1
        if self._seen != EVENTS:
            return False
        seconds, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        result = {"events": EVENTS - self._first, "seconds": seconds, "cpu_seconds": cpu}
        RESULT.write_text(json.dumps(result), encoding="utf-8")
        return True
