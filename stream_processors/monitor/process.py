"""The monitor as a process: started by settings, stopped by a signal, and ended with an error where only a new process helps."""

from __future__ import annotations

import asyncio
import threading

from stream_processors.await_servers import await_topics, refuse_wrong_credentials
from stream_processors.metrics import reporting
from stream_processors.monitor.worker import Worker
from stream_processors.processor_main import processor_main
from stream_processors.settings import ProcessorSettings

# for what Faust has not ended
_LEFT_S = 0.5
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
            _run(worker)
        except Exception as fault:
            status.failed(fault)
            status.beat(force=True)
            raise


def _run(worker: Worker) -> None:
    """Run it in a loop of its own. Unlike with `asyncio.run`, tasks of Faust's that do not end, as where Kafka is held still, end with the process."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(worker.run())
    finally:
        # or it would tell of each task that is left
        loop.set_exception_handler(lambda *_: None)
        if left := asyncio.all_tasks(loop):
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.wait(left, timeout=_LEFT_S))


def main() -> int:
    """Run with settings from the environment until SIGTERM or SIGINT; returns the exit code."""
    return processor_main("monitor", run)
