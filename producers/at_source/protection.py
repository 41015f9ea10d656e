"""Personal data taken out of an event: dropped, hashed or made coarse. Pure."""

from __future__ import annotations

from typing import Any

from producers.at_source.buckets import bucketing
from producers.at_source.checks import digits
from producers.at_source.promises import SourcePromises
from producers.at_source.pseudonyms import Pseudonyms


def number_text(number: float) -> str:
    """The text under which a number is hashed: whole numbers in digits, as the integer or string they may be elsewhere; others as Python writes them."""
    return digits(number) or repr(number)


class Protection:
    """What a contract says of personal data, made ready to be applied to many records.

    Whatever kind of value a protected feature carries, it is protected: a number where a hash is wanted is hashed by its digits, a text
    where a bucket is wanted becomes null, which the processors still see to be of the wrong kind. A segment with the name of a protected
    feature is hashed where the feature is, else left out.

    Args:
        promises: the contract.
        pseudonyms: needed where anything is hashed.
    """

    def __init__(self, promises: SourcePromises, pseudonyms: Pseudonyms | None) -> None:
        of = {name: one for name, one in promises.features.items() if one.pii != "none"}
        self.dropped = tuple(name for name, one in of.items() if one.pii == "drop")
        self.hashed = tuple(name for name, one in of.items() if one.pii == "hash")
        self.bucketed = tuple((name, one.bucket) for name, one in of.items() if one.bucket is not None)
        self.protected = frozenset(of)
        self.entity_id = promises.entity_id
        self._pseudonyms = pseudonyms
        self._bucketings = tuple((name, bucketing(bucket)) for name, bucket in self.bucketed)

    @property
    def pseudonyms(self) -> Pseudonyms:
        """Those of the key; only asked for where something is hashed."""
        assert self._pseudonyms is not None
        return self._pseudonyms

    def apply(self, record: dict[str, Any]) -> None:
        """Protect a settled record, in place."""
        if self.protected:
            self._protect_features(record["numeric_features"], record["categorical_features"])
            if record["segments"] and not self.protected.isdisjoint(record["segments"]):
                self._protect_segments(record["segments"])
        if self.entity_id != "none" and record["entity_id"] is not None:
            hashed = self.entity_id == "hash"
            record["entity_id"] = self.pseudonyms.remembered(record["entity_id"]) if hashed else None

    def _protect_features(self, numbers: dict[str, float | None], categories: dict[str, str | None]) -> None:
        for name in self.dropped:
            numbers.pop(name, None)
            categories.pop(name, None)
        for name in self.hashed:
            text = categories.get(name)
            if text is not None:
                categories[name] = self.pseudonyms.remembered(text)
            if name in numbers:  # a number with decimals, which is no category
                number = numbers.pop(name)
                categories[name] = None if number is None else self.pseudonyms.remembered(number_text(number))
        for name, lower_edge in self._bucketings:
            value = numbers.get(name)
            if value is not None:
                numbers[name] = lower_edge(value)
            if name in categories:
                categories[name] = None

    def _protect_segments(self, segments: dict[str, str]) -> None:
        for name in self.protected.intersection(segments):
            text = segments.pop(name)
            if name in self.hashed:
                segments[name] = self.pseudonyms.remembered(text)
