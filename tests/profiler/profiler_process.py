"""A profiler in a process of its own, to be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from producers.settings import KafkaSettings

_ROOT = Path(__file__).parents[2]


def start_profiler(
    settings: KafkaSettings, *, slot: str = "0", status: Path | None = None, flush_interval: float = 0.2
) -> subprocess.Popen[str]:
    """Start ``python -m stream_processors.profiler``."""
    environment = {
        **os.environ,
        "HINDCAST_KAFKA": settings.bootstrap,
        "HINDCAST_TOPIC_PREFIX": settings.topic_prefix,
        "HINDCAST_SLOT": slot,
        "HINDCAST_FLUSH_INTERVAL": str(flush_interval),
        "PYTHONPATH": str(_ROOT),
    }
    if status is not None:
        environment["HINDCAST_STATUS_DIR"] = str(status)
    return subprocess.Popen(
        [sys.executable, "-m", "stream_processors.profiler"],
        env=environment,
        cwd=_ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextmanager
def profiler_process(settings: KafkaSettings, **more: object) -> Iterator[subprocess.Popen[str]]:
    """A profiler that is gone at the end, whatever happens."""
    process = start_profiler(settings, **more)  # type: ignore[arg-type]  # passed on by name
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL, without a word."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.communicate()
