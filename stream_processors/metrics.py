"""A processor's heartbeat as Prometheus reads it: every metric with its unit and meaning, in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from producers.errors import ConfigError
from stream_processors.settings import ProcessorSettings
from stream_processors.status import Heartbeat, StatusFile

Samples = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True)
class ProcessorMetric:
    """One metric of a processor.

    Attributes:
        name: with its unit; of a counter without ``_total``, which is added.
        kind: a counter grows until the process ends.
        meaning: one sentence.
        labels: beside ``role`` and ``slot``.
        samples: from the heartbeat: values of the labels, and the number.
    """

    name: str
    kind: Literal["counter", "gauge"]
    meaning: str
    labels: tuple[str, ...]
    samples: Callable[[Heartbeat], Samples]


PREFIX = "hindcast_processor_"
METRICS = (
    ProcessorMetric(
        f"{PREFIX}events", "counter", "Messages worked on.", (), lambda beat: [((), beat.events)]
    ),
    ProcessorMetric(
        f"{PREFIX}batches", "counter", "Batches they came in.", (), lambda beat: [((), beat.batches)]
    ),
    ProcessorMetric(
        f"{PREFIX}dead_letters",
        "counter",
        "Messages that were not counted, as they cannot be decoded or break their contract; by the profiler.",
        (),
        lambda beat: [((), beat.dead_letters)],
    ),
    ProcessorMetric(
        f"{PREFIX}stage_seconds",
        "counter",
        "Time spent, by stage: reading (which waits for messages), decoding, counting and flushing; by the profiler.",
        ("stage",),
        lambda beat: [((stage,), seconds) for stage, seconds in beat.stage_seconds.items()],
    ),
    ProcessorMetric(
        f"{PREFIX}held",
        "gauge",
        "What is counted and not flushed yet, in bins (a column of a key counts for eight more): it bounds the memory; by the profiler.",
        (),
        lambda beat: [((), beat.held)],
    ),
    ProcessorMetric(
        f"{PREFIX}lag",
        "gauge",
        "Messages not yet done, by partition.",
        ("topic", "partition"),
        lambda beat: [(_place(name), lag) for name, lag in beat.lag.items()],
    ),
    ProcessorMetric(
        f"{PREFIX}position",
        "gauge",
        "Next offset to be read, by partition.",
        ("topic", "partition"),
        lambda beat: [(_place(name), offset) for name, offset in beat.positions.items()],
    ),
    ProcessorMetric(
        f"{PREFIX}paused",
        "gauge",
        "1 for a partition that waits for `hindcast resume`, for a store that is away or, of the joiner, for the recorder.",
        ("topic", "partition"),
        lambda beat: [(_place(name), 1) for name in beat.paused],
    ),
    ProcessorMetric(
        f"{PREFIX}waiting",
        "gauge",
        "Work that is known and not done yet, beside the lag: windows without their verdict.",
        (),
        lambda beat: [((), beat.waiting)],
    ),
    ProcessorMetric(
        f"{PREFIX}failing",
        "gauge",
        "1 while the last thing tried failed; `hindcast status` says what it was.",
        (),
        lambda beat: [((), int(bool(beat.last_error)))],
    ),
)


class ProcessorCollector:
    """Shows a heartbeat at every scrape, as it is at that moment."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat

    def describe(self) -> Iterator[Metric]:
        """The metrics without values."""
        return (_family(metric) for metric in METRICS)

    def collect(self) -> Iterator[Metric]:
        """The metrics with those of this moment."""
        who = (self._heartbeat.role, self._heartbeat.slot)
        for metric in METRICS:
            family = _family(metric)
            for labels, value in metric.samples(self._heartbeat):
                family.add_metric([*who, *labels], value)
            yield family


def reporting(role: str, settings: ProcessorSettings) -> StatusFile:
    """What a processor says of itself, in a file and, where the settings want it, on an address for as long as the process lives.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    status = StatusFile(role, settings.slot, settings.status_dir)
    if settings.metrics:
        registry = CollectorRegistry()
        registry.register(ProcessorCollector(status.heartbeat))
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        host, _, port = settings.metrics.rpartition(":")
        try:
            start_http_server(int(port), host.strip("[]"), registry)
        except OSError as error:
            raise ConfigError(
                f"HINDCAST_METRICS: {settings.metrics} cannot be listened on: {error.strerror or error}"
            ) from None
    return status


def _family(metric: ProcessorMetric) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return kind(metric.name, metric.meaning, labels=("role", "slot", *metric.labels))


def _place(name: str) -> tuple[str, str]:
    topic, _, partition = name.rpartition("-")
    return topic, partition
