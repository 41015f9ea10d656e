"""A logger's counts as Prometheus metrics: through prometheus_client where the service has it, or as text without it.

::

    from prometheus_client import REGISTRY
    from producers.metrics import ProducerCollector

    REGISTRY.register(ProducerCollector(log))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from producers import ledger

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from producers.intake import Stats

# there from the beginning, with 0, so that the first loss is an increase; a sampled event is no loss
_DROPPED = (ledger.QUEUE_FULL, ledger.INVALID, ledger.OVERSIZE, ledger.SPOOL_FULL, ledger.CLOSED)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counted(Protocol):
    """Whose counts can be shown: a `PredictionLogger`, or what sends events of several models."""

    @property
    def model(self) -> str:
        """Under which name."""

    @property
    def stats(self) -> Stats:
        """The counts of this moment."""


@dataclass(frozen=True)
class ProducerMetric:
    """One metric: the field of `Stats` it shows, and what it means.

    ``reasons`` are those that a field which counts by reason has from the beginning; None: it does not. A text counts as 1
    unless it is empty.
    """

    name: str
    kind: Literal["counter", "gauge"]
    field: str
    meaning: str
    reasons: tuple[str, ...] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its labels."""
        return ("model",) if self.reasons is None else ("model", "reason")


PREFIX = "hindcast_producer_"
METRICS = (
    ProducerMetric(
        f"{PREFIX}accepted_total", "counter", "accepted", "Events taken from the service's calls."
    ),
    ProducerMetric(f"{PREFIX}delivered_total", "counter", "delivered", "Events that Kafka acknowledged."),
    ProducerMetric(
        f"{PREFIX}failed_total",
        "counter",
        "failures",
        "Events that Kafka refused or did not acknowledge in time, by librdkafka's name of the error.",
        reasons=(),
    ),
    ProducerMetric(
        f"{PREFIX}dropped_total",
        "counter",
        "dropped",
        "Events given up in this process, by reason.",
        reasons=_DROPPED,
    ),
    ProducerMetric(
        f"{PREFIX}spooled_total", "counter", "spooled", "Events laid on disk, as Kafka did not take them."
    ),
    ProducerMetric(
        f"{PREFIX}replayed_total",
        "counter",
        "replayed",
        "Events delivered from the disk, whoever laid them there.",
    ),
    ProducerMetric(
        f"{PREFIX}waiting", "gauge", "waiting", "Events on their way: taken, and not yet settled."
    ),
    ProducerMetric(
        f"{PREFIX}faulty",
        "gauge",
        "fault",
        "1 while nothing can be sent for a reason that no retry will mend, else 0.",
    ),
)


class ProducerCollector:
    """Shows the counts of some loggers at every scrape; register it once, with all of them.

    A scrape reads `PredictionLogger.stats` of the process that answers it: behind several worker processes each has its own
    counts, and the ledger topic has those of all. Needs prometheus_client when it is asked, not when it is made.

    Args:
        logs: loggers; those of one model are added up.
    """

    def __init__(self, *logs: Counted) -> None:
        self._logs = logs

    def describe(self) -> Iterator[Metric]:
        """The metrics without values, so that registering reads no counts."""
        return (_family(metric) for metric in METRICS)

    def collect(self) -> Iterator[Metric]:
        """The metrics of this moment."""
        for metric, values in samples(*self._logs):
            family = _family(metric)
            for labels, value in values.items():
                family.add_metric(labels, value)
            yield family


def render(*logs: Counted) -> str:
    """The metrics of this moment as Prometheus's text format (`CONTENT_TYPE`), for a service without prometheus_client."""
    lines = []
    for metric, values in samples(*logs):
        lines += [f"# HELP {metric.name} {metric.meaning}", f"# TYPE {metric.name} {metric.kind}"]
        for labels, value in values.items():
            pairs = zip(metric.labels, labels, strict=True)
            said = ",".join(f'{name}="{_escaped(text)}"' for name, text in pairs)
            lines.append(f"{metric.name}{{{said}}} {value}")
    return "\n".join([*lines, ""])


def samples(*logs: Counted) -> Iterator[tuple[ProducerMetric, dict[tuple[str, ...], int]]]:
    """Each metric with its values by label values; loggers of one model are added up."""
    stats = [(log.model, log.stats) for log in logs]
    for metric in METRICS:
        values: Counter[tuple[str, ...]] = Counter()
        for model, its in stats:
            for labels, value in _values(metric, getattr(its, metric.field)):
                values[(model, *labels)] += value
        yield metric, dict(values)


def _values(metric: ProducerMetric, found: Any) -> Iterator[tuple[tuple[str, ...], int]]:
    if metric.reasons is None:
        yield (), int(bool(found)) if isinstance(found, str) else found
        return
    for reason, count in {**dict.fromkeys(metric.reasons, 0), **(found or {})}.items():
        yield (reason,), count


def _family(metric: ProducerMetric) -> Any:
    # of the service's own choice: the producers do not depend on it
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return kind(metric.name, metric.meaning, labels=metric.labels)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
