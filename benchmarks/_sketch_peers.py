"""Peers of the histogram under one interface: what `benchmarks/sketches.py` measures them by.

Each peer adds an array of doubles the way its library wants it (an array at once where it takes one), merges another of its kind, answers
quantiles and says its bytes. A peer that is not installed is left out by the benchmark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from _exponential_buckets import Buckets

from stream_processors.sketches import NumericSketch, TableSketch, sketch_of
from stream_processors.sketches.columns import numeric_record

Floats = npt.NDArray[np.float64]


class Unfit(Exception):
    """The peer does not take data of this shape; the message says why."""


class Peer(Protocol):
    """One sketch. A new one is empty."""

    def add(self, values: Floats) -> None:
        """Count the values."""

    def merge(self, other: Any) -> None:
        """Take in another of the same kind, which is not used afterwards."""

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """The value at each share."""

    def to_bytes(self) -> bytes:
        """As it is stored or sent."""


class Ours:
    """This house's histogram, at a precision."""

    def __init__(self, precision: int) -> None:
        self._precision = precision
        self._sketch = NumericSketch.empty(precision)
        self._parts: list[NumericSketch] = []

    def add(self, values: Floats) -> None:
        """Encoded by the profiler's code."""
        found = sketch_of(values, self._precision)
        assert isinstance(found, NumericSketch)
        self._parts.append(found)

    def merge(self, other: Ours) -> None:
        """Kept, and added up at once: what a reader of many deltas does."""
        self._parts += other._parts

    def _whole(self) -> NumericSketch:
        self._sketch = NumericSketch.merged([self._sketch, *self._parts]).fitted()
        self._parts = []
        return self._sketch

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Middles of bins."""
        whole = self._whole()
        return [float(whole.quantile(share) or 0.0) for share in shares]

    def to_bytes(self) -> bytes:
        """Its column of a message of sketch.v1, less the message's own head."""
        whole = self._whole()
        head = len(TableSketch(whole.n).to_avro())
        message = TableSketch(0).to_avro(events=whole.n, numeric=[numeric_record("x", whole)])
        return message[head:]


class Kll:
    """KLL (Karnin, Lang and Liberty 2016) of Apache DataSketches; k 200 is its default."""

    def __init__(self, k: int) -> None:
        from datasketches import kll_doubles_sketch

        self._type = kll_doubles_sketch
        self._sketch = kll_doubles_sketch(k)

    def add(self, values: Floats) -> None:
        """A whole array."""
        self._sketch.update(values)

    def merge(self, other: Kll) -> None:
        """Compacts."""
        self._sketch.merge(other._sketch)

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Values that were added."""
        return [float(value) for value in self._sketch.get_quantiles(list(shares), inclusive=True)]

    def to_bytes(self) -> bytes:
        """DataSketches' own layout."""
        return bytes(self._sketch.serialize())


class TDigest:
    """t-digest (Dunning 2019) of Apache DataSketches; k 200 is its default."""

    def __init__(self, k: int) -> None:
        from datasketches import tdigest_double

        self._sketch = tdigest_double(k)

    def add(self, values: Floats) -> None:
        """A whole array."""
        self._sketch.update(values)

    def merge(self, other: TDigest) -> None:
        """Clusters the centroids of both."""
        self._sketch.merge(other._sketch)

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Interpolated between centroids."""
        return [float(self._sketch.get_quantile(share)) for share in shares]

    def to_bytes(self) -> bytes:
        """DataSketches' own layout."""
        return bytes(self._sketch.serialize())


class DDSketch:
    """DDSketch (Masson, Rim and Lee 2019) of Datadog, at a relative accuracy, in pure Python."""

    def __init__(self, accuracy: float) -> None:
        from ddsketch import DDSketch as Sketch

        self._sketch = Sketch(accuracy)

    def add(self, values: Floats) -> None:
        """One by one: it takes no arrays."""
        add = self._sketch.add
        for value in values.tolist():
            add(value)

    def merge(self, other: DDSketch) -> None:
        """Adds the buckets."""
        self._sketch.merge(other._sketch)

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Middles of buckets."""
        return [float(self._sketch.get_quantile_value(share)) for share in shares]

    def to_bytes(self) -> bytes:
        """Its protobuf message."""
        from ddsketch.pb.proto import DDSketchProto

        return bytes(DDSketchProto.to_proto(self._sketch).SerializeToString())


class Hdr:
    """HdrHistogram (Tene), integers of a known range: values are scaled to it, at significant decimal digits."""

    _HIGHEST = 10**12

    def __init__(self, digits: int, scale: float) -> None:
        from hdrh.histogram import HdrHistogram

        self._scale = scale
        self._histogram = HdrHistogram(1, self._HIGHEST, digits, b64_wrap=False)

    def add(self, values: Floats) -> None:
        """One by one: it takes no arrays."""
        if values.size and values.min() < 0:
            raise Unfit("takes no negative numbers")
        scaled = np.rint(values * self._scale)
        if values.size and scaled.max() > self._HIGHEST:
            raise Unfit("holds numbers below a bound that is chosen beforehand (10^12 steps here)")
        record = self._histogram.record_value
        for value in scaled.astype(np.int64).tolist():
            record(value)

    def merge(self, other: Hdr) -> None:
        """Adds the counts."""
        self._histogram.add(other._histogram)

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """The highest value that counts as equal."""
        return [self._histogram.get_value_at_percentile(100 * share) / self._scale for share in shares]

    def to_bytes(self) -> bytes:
        """Its V2 encoding, which is compressed."""
        return bytes(self._histogram.encode())


class Exponential:
    """OpenTelemetry's base-2 exponential histogram, at most ``size`` buckets per sign, by the SDK's public instruments."""

    def __init__(self, size: int) -> None:
        from opentelemetry.sdk.metrics import Histogram, MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
        from opentelemetry.sdk.resources import Resource

        self._size = size
        self._reader = InMemoryMetricReader(
            preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation(max_size=size)}
        )
        provider = MeterProvider([self._reader], Resource({}), shutdown_on_exit=False)
        self._record = provider.get_meter("bench").create_histogram("x").record
        self._points: list[Any] = []

    def add(self, values: Floats) -> None:
        """One by one: it takes no arrays."""
        if values.size and values.min() < 0:
            raise Unfit("the SDK's instrument takes no negative numbers")
        record = self._record
        for value in values.tolist():
            record(value)

    def merge(self, other: Exponential) -> None:
        """Keeps the other's point; `_merged` adds them up, as the specification says how and the SDK has no call."""
        self._points += other._all()

    def _all(self) -> list[Any]:
        data = self._reader.get_metrics_data()
        found = [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        ]
        return [Buckets.of(point) for point in found] + self._points

    def _merged(self) -> Buckets:
        return Buckets.merged(self._all(), self._size)

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Middles of buckets."""
        merged = self._merged()
        return [merged.quantile(share) for share in shares]

    def to_bytes(self) -> bytes:
        """Its OTLP protobuf message."""
        return self._merged().to_bytes()
