"""Which events are kept, decided by a hash of what they belong to, so that everywhere and always the same ones are. Pure."""

from __future__ import annotations

import hashlib
import math
from typing import Any

FIELDS = ("request_id", "entity_id", "prediction_id")


class Sampling:
    """Keeps a share of a model's events.

    An event is kept iff the first 8 bytes of SHA-256(model + ":" + id), UTF-8, read as a big-endian number, are below rate * 2^64. The id
    is the first that there is of ``request_id``, ``entity_id`` and ``prediction_id``, as the caller said it: all items of a request share
    its fate, and all requests of an entity where none has an id. What is kept at a rate is kept at every higher one.

    Args:
        model: name of the model, so that models sample independently.
        rate: above 0, up to 1.
        keep_errors: keep events whose status is not ``ok``, outside of the sample: their rate stays as stated.
    """

    def __init__(self, model: str, rate: float, *, keep_errors: bool) -> None:
        self.rate = rate
        self.keep_errors = keep_errors
        self._prefix = f"{model}:"
        self._all = rate >= 1
        # scaling by a power of two is exact; a digest is compared as bytes, which compares its first 8 as a big-endian number
        self._below = b"" if self._all else math.ceil(rate * 2**64).to_bytes(8, "big")

    def admits(self, record: dict[str, Any]) -> bool:
        """Whether an event is kept; then its ``sampling_rate`` is multiplied with the rate, because both samples had to keep it."""
        if self._all or (self.keep_errors and record["status"] != "ok"):
            return True
        its_id = record["request_id"] or record["entity_id"] or record["prediction_id"]
        if not self.keeps(its_id):
            return False
        record["sampling_rate"] *= self.rate
        return True

    def keeps(self, its_id: str) -> bool:
        """Whether events with this id are kept."""
        if self._all:
            return True
        text = (self._prefix + its_id).encode("utf-8", "surrogatepass")
        return hashlib.sha256(text).digest() < self._below
