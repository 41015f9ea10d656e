"""Whether an event keeps its contract: the rules of the processors' `violations`, for one record before it leaves. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from producers.at_source.promises import FeaturePromise
from producers.errors import InvalidEvent
from producers.values import EXACT

Numbers = dict[str, float | None]
Categories = dict[str, str | None]

PROBLEMS = {
    "kind": "is of another kind than its contract says",
    "missing": "is missing, which its contract requires",
    "range": "is outside of its contract's range",
    "unlisted": "is not among its contract's values",
}
MAX_FEATURES = 1_000


def digits(number: float) -> str | None:
    """A whole number up to ±2^53 in digits, as the integer that it was; None for any other."""
    return str(int(number)) if number.is_integer() and -EXACT <= number <= EXACT else None


def refusal(word: str, name: str) -> InvalidEvent:
    """The error of a broken promise."""
    return InvalidEvent(f"features.{name}", PROBLEMS[word])


def too_many() -> InvalidEvent:
    """The error of an event with more features than processors count."""
    return InvalidEvent("features", f"more than {MAX_FEATURES:,}")


class Checks:
    """What a contract says of features, made ready to be asked for many events."""

    def __init__(self, features: Mapping[str, FeaturePromise]) -> None:
        self._numeric = frozenset(name for name, one in features.items() if one.kind == "numeric")
        self._categorical = frozenset(features) - self._numeric
        self._required = frozenset(name for name, one in features.items() if one.required)
        self._required_numeric = self._required & self._numeric
        self._required_categorical = self._required & self._categorical
        self._ranges = [
            (name, one.minimum, one.maximum)
            for name, one in features.items()
            if one.kind == "numeric" and (one.minimum is not None or one.maximum is not None)
        ]
        self._lists = [
            (name, frozenset(one.values or ()))
            for name, one in features.items()
            if one.kind == "categorical" and one.only_listed
        ]

    def settle(self, numbers: Numbers, categories: Categories) -> Collection[str]:
        """Put each feature to its kind where its value can be of it: a whole number as a category is its digits, a null is of either kind.

        Returns the features that stay in the wrong place.
        """
        if self._categorical.isdisjoint(numbers) and self._numeric.isdisjoint(categories):
            return ()
        for name in self._categorical.intersection(numbers):
            value = numbers[name]
            text = None if value is None else digits(value)
            if name not in categories and (value is None or text is not None):
                del numbers[name]
                categories[name] = text
        for name in self._numeric.intersection(categories):
            if categories[name] is None and name not in numbers:
                del categories[name]
                numbers[name] = None
        return self._categorical.intersection(numbers) | self._numeric.intersection(categories)

    def broken(self, record: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Settle a record; what it breaks, as (``kind``, ``missing``, ``range`` or ``unlisted``; feature).

        Missing is not asked of failed predictions, which often have no inputs.
        """
        numbers: Numbers = record["numeric_features"]
        categories: Categories = record["categorical_features"]
        for name in self.settle(numbers, categories):
            yield "kind", name
        if record["status"] == "ok" and not self._complete(numbers, categories):
            for name in self._required:
                if (numbers if name in self._numeric else categories).get(name) is None:
                    yield "missing", name
        for name, least, most in self._ranges:
            number = numbers.get(name)
            if number is None:
                continue
            if (least is not None and number < least) or (most is not None and number > most):
                yield "range", name
        for name, listed in self._lists:
            text = categories.get(name)
            if text is not None and text not in listed:
                yield "unlisted", name

    def _complete(self, numbers: Numbers, categories: Categories) -> bool:
        """Whether nothing required can be missing: nearly always so, and found without a step of Python per feature."""
        return (
            numbers.keys() >= self._required_numeric
            and categories.keys() >= self._required_categorical
            and None not in numbers.values()
            and None not in categories.values()
        )

    def demand(self, record: dict[str, Any]) -> None:
        """Settle a record; raises `InvalidEvent` where it breaks the contract."""
        if len(record["numeric_features"]) + len(record["categorical_features"]) > MAX_FEATURES:
            raise too_many()
        for word, name in self.broken(record):
            raise refusal(word, name)
