"""Buckets of OpenTelemetry's exponential histogram, merged: what a collector does, and the SDK has no call for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


class Buckets:
    """Positive buckets of an exponential histogram at a scale: bucket ``i`` holds (2^(i / 2^scale), 2^((i + 1) / 2^scale)].

    Merging and downscaling as OpenTelemetry's metrics data model says, section "Exponential Histogram".
    """

    def __init__(self, scale: int, zeros: int, counts: dict[int, int]) -> None:
        self.scale, self.zeros, self.counts = scale, zeros, counts

    @classmethod
    def of(cls, point: Any) -> Buckets:
        """From a data point of the SDK."""
        counts = {
            point.positive.offset + place: count
            for place, count in enumerate(point.positive.bucket_counts)
            if count
        }
        return cls(point.scale, point.zero_count, counts)

    def at(self, scale: int) -> Buckets:
        """At a smaller scale: each step halves the resolution."""
        counts: dict[int, int] = {}
        for index, count in self.counts.items():
            lower = index >> (self.scale - scale)
            counts[lower] = counts.get(lower, 0) + count
        return Buckets(scale, self.zeros, counts)

    @classmethod
    def merged(cls, parts: Sequence[Buckets], size: int) -> Buckets:
        """Added up at the smallest scale, and at a smaller one where there are more buckets than ``size``."""
        scale = min(part.scale for part in parts)
        counts: dict[int, int] = {}
        for part in parts:
            for index, count in part.at(scale).counts.items():
                counts[index] = counts.get(index, 0) + count
        whole = cls(scale, sum(part.zeros for part in parts), counts)
        while whole.counts and max(whole.counts) - min(whole.counts) >= size:
            whole = whole.at(whole.scale - 1)
        return whole

    def quantile(self, share: float) -> float:
        """The middle of the bucket in which the share is reached."""
        indexes = sorted(self.counts)
        rank = max(1, math.ceil(share * (self.zeros + sum(self.counts.values()))))
        seen = self.zeros
        if rank <= seen:
            return 0.0
        for index in indexes:
            seen += self.counts[index]
            if rank <= seen:
                break
        low, high = (2.0 ** ((index + end) / 2.0**self.scale) for end in (0, 1))
        return (low + high) / 2

    def to_bytes(self) -> bytes:
        """An ExponentialHistogramDataPoint of OTLP."""
        from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogramDataPoint

        point = ExponentialHistogramDataPoint(scale=self.scale, zero_count=self.zeros)
        point.count = self.zeros + sum(self.counts.values())
        if self.counts:
            first = min(self.counts)
            point.positive.offset = first
            point.positive.bucket_counts.extend(
                self.counts.get(index, 0) for index in range(first, max(self.counts) + 1)
            )
        return bytes(point.SerializeToString())
