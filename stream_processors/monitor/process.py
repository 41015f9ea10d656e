"""The monitor as a process: started by settings, stopped by a signal, and ended with an error where only a new process helps."""

from __future__ import annotations

import asyncio
import threading

from stream_processors.await_servers import await_topics, refuse_wrong_credentials
from stream_processors.metrics import reporting
from stream_processors.monitor.worker import Worker
from stream_processors.processor_main import processor_main
from stream_processors.settings import ProcessorSettings

_TOPICS = ("predictions", "sketches", "contracts", "drift", "alerts")


def run(settings: ProcessorSettings, stop: threading.Event) -> None:
    """Judge windows and raise alerts until ``stop`` is set.

    Raises:
        ConfigError: a server refuses the credentials, or a property that Faust cannot use.
        TransientError: Faust has crashed or ceased; a new process goes on.
    """
    status = reporting("monitor", settings)
    status.beat(force=True)
    refuse_wrong_credentials(settings.clickhouse, status)
    # Faust would crash on a broker that is away, and ask for topics that do not exist
    await_topics(settings.kafka, _TOPICS, stop, status)
    if not stop.is_set():
        worker = Worker(settings, stop, status)
        try:
            asyncio.run(worker.run())
        except Exception as fault:
            status.failed(fault)
            status.beat(force=True)
            raise


def main() -> int:
    """Run with settings from the environment until SIGTERM or SIGINT; returns the exit code."""
    return processor_main("monitor", run)
