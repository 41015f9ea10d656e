"""The profiler as a process: started by settings, stopped by a signal, never ended by a fault that passes."""

from __future__ import annotations

import threading

from producers.errors import TransientError
from producers.registry import registry_of
from stream_processors.await_servers import await_topics
from stream_processors.fencing import Fenced, Lapses
from stream_processors.kafka import KafkaException
from stream_processors.metrics import reporting
from stream_processors.processor_main import forget_life, processor_main
from stream_processors.profiler.session import FlushRule, Session
from stream_processors.settings import ProcessorSettings
from stream_processors.status import StatusFile

_TOPICS = ("predictions", "contracts", "sketches")
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0


def run(settings: ProcessorSettings, stop: threading.Event, *, rule: FlushRule | None = None) -> None:
    """Profile predictions until ``stop`` is set; a fault of the broker is said in the status and tried again with growing pauses.

    Raises:
        ConfigError: settings that must be mended before this can run.
    """
    status = reporting("profiler", settings)
    status.beat(force=True)
    pause, lapses = _FIRST_PAUSE_S, Lapses()
    while not stop.is_set():
        before = status.heartbeat.events
        try:
            await_topics(settings.kafka, _TOPICS, stop, status)
            if stop.is_set():
                return
            with Session(settings, status, stop, rule=rule, registry=registry_of(settings.kafka)) as session:
                session.run()
        except Fenced as fault:
            lapses.forgive(fault)
            status.failed(fault)
        except (TransientError, KafkaException) as fault:
            status.failed(_text(fault))
            status.beat(force=True)
            pause = _FIRST_PAUSE_S if status.heartbeat.events > before else min(2 * pause, _LONGEST_PAUSE_S)
            _wait(stop, status, pause)
        forget_life()


def _text(fault: Exception) -> str:
    return f"Kafka: {fault.args[0].name()}" if isinstance(fault, KafkaException) else str(fault)


def _wait(stop: threading.Event, status: StatusFile, seconds: float) -> None:
    while seconds > 0 and not stop.wait(min(seconds, 1.0)):
        seconds -= 1.0
        status.beat()


def main() -> int:
    """Run with settings from the environment until SIGTERM or SIGINT; returns the exit code."""
    return processor_main("profiler", run)
