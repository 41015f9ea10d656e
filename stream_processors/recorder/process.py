"""The recorder as a process: started by settings, stopped by a signal, never ended by a fault that passes."""

from __future__ import annotations

import threading

from producers.errors import TransientError
from producers.registry import registry_of
from producers.topics import topics
from stream_processors.await_servers import await_topics, refuse_wrong_credentials
from stream_processors.fencing import Fenced, Lapses, fatal, is_fatal
from stream_processors.kafka import KafkaException
from stream_processors.metrics import reporting
from stream_processors.processor_main import forget_life, processor_main
from stream_processors.recorder.gathering import Limits
from stream_processors.recorder.recorder import Recorder
from stream_processors.settings import ProcessorSettings
from stream_processors.status import StatusFile

_AGAIN_S = 1.0


def run(settings: ProcessorSettings, stop: threading.Event, *, limits: Limits | None = None) -> None:
    """Record every topic until ``stop`` is set.

    Raises:
        ConfigError: a wrong password, or a slot that another recorder has.
    """
    status = reporting("recorder", settings)
    status.beat(force=True)
    refuse_wrong_credentials(settings.clickhouse, status)
    await_topics(settings.kafka, topics(), stop, status)
    lapses = Lapses()
    while not stop.is_set():
        try:
            _record(settings, stop, status, limits)
        except Fenced as fault:
            lapses.forgive(fault)
            status.failed(fault)
        except (TransientError, KafkaException) as fault:
            status.failed(
                f"Kafka: {fault.args[0].name()}" if isinstance(fault, KafkaException) else str(fault)
            )
            stop.wait(_AGAIN_S)
        forget_life()
        status.beat(force=True)


def _record(
    settings: ProcessorSettings, stop: threading.Event, status: StatusFile, limits: Limits | None
) -> None:
    """Record until ``stop`` or a fault of the client; what was consumed and not handed over is consumed again by the next."""
    recorder = Recorder(settings, stop, status, limits=limits, registry=registry_of(settings.kafka))
    try:
        while not stop.is_set():
            recorder.step()
    except KafkaException as fault:
        if is_fatal(fault.args[0]):
            raise fatal(fault.args[0], "recorder") from None
        raise
    finally:
        recorder.close()


def main() -> int:
    """Run with settings from the environment until SIGTERM or SIGINT; returns the exit code."""
    return processor_main("recorder", run)
