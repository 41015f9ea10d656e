"""What the gateway counts, as Prometheus reads it: every metric with its meaning, in one place."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from producers.gateway.keys import EVERY_MODEL
from producers.intake import Stats
from producers.metrics import ProducerCollector

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of one gateway process.

    Args:
        stats: the counts of the channel.
        held: bytes of bodies in memory.
        connections: open connections.
    """

    def __init__(
        self, stats: Callable[[], Stats], held: Callable[[], int], connections: Callable[[], int]
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second line for each, which says when it was first counted
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "hindcast_gateway_requests", "Requests answered.", ("stream", "status"), registry=self._registry
        )
        self._items = Counter(
            "hindcast_gateway_items",
            "Items looked at; refused ones are answered with what is wrong.",
            ("stream", "outcome"),
            registry=self._registry,
        )
        self._bytes = Counter(
            "hindcast_gateway_body_bytes", "Bytes of bodies, as sent.", ("stream",), registry=self._registry
        )
        self._seconds = Histogram(
            "hindcast_gateway_request_seconds",
            "From a request's head to its answer, the client's sending and a durable request's waiting included.",
            ("stream",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        for name, meaning, ask in (
            ("hindcast_gateway_held_bytes", "Bytes of bodies in memory.", held),
            ("hindcast_gateway_connections", "Open connections.", connections),
        ):
            Gauge(name, meaning, registry=self._registry).set_function(ask)
        self._registry.register(ProducerCollector(_EveryModel(stats)))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def answered(self, stream: str, status: int, seconds: float) -> None:
        """Count one request and the time it took."""
        self._requests.labels(stream, str(status)).inc()
        self._seconds.labels(stream).observe(seconds)

    def looked_at(self, stream: str, accepted: int, refused: int, size: int) -> None:
        """Count the items of one request, and the bytes they came in."""
        self._items.labels(stream, "accepted").inc(accepted)
        self._items.labels(stream, "refused").inc(refused)
        self._bytes.labels(stream).inc(size)

    def text(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return generate_latest(self._registry)


class _EveryModel:
    """The counts of a channel as those of a logger: a gateway does not count its models apart."""

    model = EVERY_MODEL

    def __init__(self, stats: Callable[[], Stats]) -> None:
        self._stats = stats

    @property
    def stats(self) -> Stats:
        """The counts of this moment."""
        return self._stats()
