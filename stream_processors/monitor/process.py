"""The monitor as a process: started by settings, stopped by a signal, and ended with an error where only a new process helps."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading

from producers.errors import BrokerUnavailable, ConfigError, TransientError
from stream_processors.clickhouse import Store
from stream_processors.kafka import partition_counts
from stream_processors.monitor.worker import Worker
from stream_processors.settings import ProcessorSettings
from stream_processors.status import StatusFile

_AGAIN_S = 1.0
_TOPICS = ("predictions", "sketches", "contracts", "drift", "alerts")


def run(settings: ProcessorSettings, stop: threading.Event) -> None:
    """Judge windows and raise alerts until ``stop`` is set.

    Raises:
        ConfigError: a server refuses the credentials, or a property that Faust cannot use.
        TransientError: Faust has crashed or ceased; a new process goes on.
    """
    status = StatusFile("monitor", settings.slot, settings.status_dir)
    status.beat(force=True)
    _refuse_wrong_credentials(settings, status)
    _wait_for_topics(settings, status, stop)
    if not stop.is_set():
        worker = Worker(settings, stop, status)
        try:
            asyncio.run(worker.run())
        except Exception as fault:
            status.failed(fault)
            status.beat(force=True)
            raise


def _refuse_wrong_credentials(settings: ProcessorSettings, status: StatusFile) -> None:
    """Say at once what waiting will not mend; a ClickHouse that is away is waited for later."""
    try:
        Store(settings.clickhouse).close()
    except TransientError as fault:
        status.failed(fault)
        status.beat(force=True)


def _wait_for_topics(settings: ProcessorSettings, status: StatusFile, stop: threading.Event) -> None:
    """Faust would crash on a broker that is away, and ask for topics that do not exist."""
    wanted = {settings.kafka.topic(name) for name in _TOPICS}
    while not stop.is_set():
        try:
            missing = wanted - set(partition_counts(settings.kafka))
            if not missing:
                return
            raise BrokerUnavailable(
                f"topic {min(missing)} does not exist (yet): `hindcast topics` creates it"
            )
        except TransientError as fault:
            status.failed(fault)
            status.beat(force=True)
            stop.wait(_AGAIN_S)


def main() -> int:
    """Run with settings from the environment until SIGTERM or SIGINT; 2 where the settings are at fault, 1 where a restart helps."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    # Faust, mode and aiokafka say every step at INFO
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # a broker that is away costs aiokafka thirty lines a second; the heartbeat says it once
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        run(ProcessorSettings.from_environment(os.environ), stop)
    except ConfigError as fault:
        sys.stderr.write(f"monitor: {fault}\n")
        return 2
    except TransientError as fault:
        sys.stderr.write(f"monitor: {fault}: start it again\n")
        return 1
    return 0
