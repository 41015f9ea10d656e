"""The recorder as a process: started by settings, stopped by a signal, never ended by a fault that passes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from time import monotonic

from producers.errors import BrokerUnavailable, ConfigError, TransientError
from producers.registry import SchemaRegistry
from producers.topics import topics
from stream_processors.clickhouse import Store
from stream_processors.kafka import KafkaException, partition_counts
from stream_processors.recorder.gathering import Fenced, Limits, fatal, is_fatal
from stream_processors.recorder.recorder import Recorder
from stream_processors.settings import ProcessorSettings
from stream_processors.status import StatusFile

_AGAIN_S = 1.0
_FENCED_AGAIN_S = 60.0


def run(settings: ProcessorSettings, stop: threading.Event, *, limits: Limits | None = None) -> None:
    """Record every topic until ``stop`` is set.

    Raises:
        ConfigError: a wrong password, or a slot that another recorder has.
    """
    status = StatusFile("recorder", settings.slot, settings.status_dir)
    status.beat(force=True)
    _refuse_wrong_credentials(settings, status)
    _wait_for_topics(settings, status, stop)
    if stop.is_set():
        return
    fenced = float("-inf")
    while not stop.is_set():
        try:
            _record(settings, stop, status, limits)
        except Fenced as fault:
            # a broker that dies while we join may know our name under another member: once is no proof of a second recorder
            if monotonic() - fenced < _FENCED_AGAIN_S:
                raise
            fenced = monotonic()
            status.failed(fault)
        except KafkaException as fault:
            status.failed(f"Kafka: {fault.args[0].name()}")
            stop.wait(_AGAIN_S)
        status.beat(force=True)


def _record(
    settings: ProcessorSettings, stop: threading.Event, status: StatusFile, limits: Limits | None
) -> None:
    """Record until ``stop`` or a fault of the client; what was consumed and not handed over is consumed again by the next."""
    recorder = Recorder(settings, stop, status, limits=limits, registry=_registry(settings))
    try:
        while not stop.is_set():
            recorder.step()
    except KafkaException as fault:
        if is_fatal(fault.args[0]):
            raise fatal(fault.args[0]) from None
        raise
    finally:
        recorder.close()


def _registry(settings: ProcessorSettings) -> SchemaRegistry | None:
    return SchemaRegistry(settings.kafka.schema_registry) if settings.kafka.schema_registry else None


def _refuse_wrong_credentials(settings: ProcessorSettings, status: StatusFile) -> None:
    """Say at once what waiting will not mend; a ClickHouse that is away is waited for later."""
    try:
        Store(settings.clickhouse).close()
    except TransientError as fault:
        status.failed(fault)
        status.beat(force=True)


def _wait_for_topics(settings: ProcessorSettings, status: StatusFile, stop: threading.Event) -> None:
    wanted = {settings.kafka.topic(name) for name in topics()}
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
    """Run with settings from the environment until SIGTERM or SIGINT; 2 where the settings are at fault."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        run(ProcessorSettings.from_environment(os.environ), stop)
    except ConfigError as fault:
        sys.stderr.write(f"recorder: {fault}\n")
        return 2
    return 0
