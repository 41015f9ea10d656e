"""A prediction's Avro body straight from what its caller said: the way nearly every event takes. Pure.

It gives the bytes that `events.prediction_record` and `codec.encode` give together, in a third of their time, because the
events of a model look alike: the names of the features, and what of a map's bytes they decide, are worked out once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from producers.avro_writer import NearNumbers, length, text_bytes, whole_bytes
from producers.events import Record, categories_of, numbers_of, prediction_record
from producers.values import identifier, number, split_features, whole

# feature sets and texts that are remembered at most; whoever has more is served, but not from memory
_SHAPES = 256
_TEXTS = 4_096
_LONGEST_TEXT = 64
_FLOAT = frozenset({float})
_NUMBERS = frozenset({float, int, type(None)})
_TEXT = frozenset({str})
_CATEGORIES = frozenset({str, bool})
_NULL, _SOME, _END = b"\x00", b"\x02", b"\x00"
_NO_IDS, _NO_TRACE = 4 * _NULL, 2 * _NULL
_NOTHING_MORE = 3 * _END + text_bytes("ok") + _NULL
_double = struct.Struct("<d").pack
_some_double = struct.Struct("<Bd").pack


class PredictionSaid(NamedTuple):
    """What a caller said of one prediction; instants are µs since 1970. The fields are those of prediction.v1."""

    prediction_id: str
    model_version: str
    environment: str
    event_time: int
    features: Mapping[str, object]
    output: str = ""
    request_id: object = None
    item_index: object = None
    rank: object = None
    entity_id: object = None
    served: bool = True
    target_time: int | None = None
    score: float | None = None
    decision: str | None = None
    probabilities: Mapping[str, object] | None = None
    quantiles: Mapping[str, object] | None = None
    segments: Mapping[str, object] | None = None
    status: str = "ok"
    error: str | None = None
    latency_ms: float | None = None
    sampling_rate: float = 1.0
    trace_id: str | None = None
    span_id: str | None = None
    known_at: int | None = None


class PredictionWriter:
    """Writes the predictions of one model: a kind of event (`said.Kind`). Use it from one thread.

    Args:
        model: the model's name.
        categorical: features that are categories whatever their values.
        kinds: of a contract's features, which its records follow; see `values.split_features`.
    """

    def __init__(
        self, model: str, categorical: Collection[str], kinds: Mapping[str, str] | None = None
    ) -> None:
        self._kinds = kinds or {}
        self.stream = "predictions"
        self.model = model
        self._categorical = categorical
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        self._texts: dict[object, bytes] = {}
        self._places: dict[tuple[str, str, bool], bytes] = {}
        self._time = NearNumbers().written

    def record(self, said: PredictionSaid) -> Record:
        """The record of prediction.v1, without producer_id and sequence; raises `InvalidEvent`."""
        return prediction_record(
            model=self.model, categorical=self._categorical, kinds=self._kinds, **said._asdict()
        )

    def body(self, said: PredictionSaid) -> tuple[bytes, bytes, bytes]:
        """Key, and body before and after the fields producer_id and sequence.

        Raises:
            InvalidEvent: a value that does not fit.
            TypeError, ValueError: the same, of a field that the long way names.
        """
        (
            its_id, version, environment, event_time, features, output, request_id, item_index, rank, entity_id, served,
            target_time, score, decision, probabilities, quantiles, segments, status, error, latency_ms, sampling_rate,
            trace_id, span_id, known_at,
        ) = said  # fmt: skip
        known = self._texts
        key = its_id.encode()
        # what most events leave out goes in one piece; the first field that does not fit is the one that is named
        ids, more, trace = _NO_IDS, _NOTHING_MORE, _NO_TRACE
        if request_id is not None or entity_id is not None or item_index is not None or rank is not None:
            ids = _ids(request_id, item_index, rank, entity_id)
        maps = self._maps(features) if features else b"\x00\x00"
        if probabilities or quantiles or segments or error is not None or status != "ok":
            more = _more(probabilities, quantiles, segments, status, error)
        if trace_id is not None or span_id is not None:
            trace = _text_or_null(trace_id) + _text_or_null(span_id)
        head = (
            length(len(key)),
            key,
            text_bytes(output) if output else _NULL,
            ids,
            self._places.get((version, environment, served)) or self._place(version, environment, served),
            self._time(event_time),
            _NULL if target_time is None else _SOME + whole_bytes(target_time),
            maps,
            _NULL if score is None else _some_double(2, score),
            _NULL if decision is None else _SOME + (known.get(decision) or self._text(decision)),
            more,
            _NULL if latency_ms is None else _some_double(2, latency_ms),
            _double(sampling_rate),
            trace,
        )
        after = _NULL if known_at is None else _SOME + whole_bytes(known_at)
        return key, b"".join(head), after

    def _place(self, version: str, environment: str, served: bool) -> bytes:  # noqa: FBT001 - a field's value
        written = (
            text_bytes(self.model)
            + text_bytes(version)
            + text_bytes(environment)
            + (b"\x01" if served else b"\x00")
        )
        if len(self._places) < _SHAPES:
            self._places[version, environment, served] = written
        return written

    def _maps(self, features: Mapping[str, object]) -> bytes:
        """Both maps of features."""
        shape = self._shapes.get(tuple(features))
        if shape is not None:
            numbers, categories = shape.numbers(features), shape.categories(features)
            if _FLOAT.issuperset(map(type, numbers)) and _TEXT.issuperset(map(type, categories)):
                return shape.packed(numbers) + self._written(shape, categories)
            if _NUMBERS.issuperset(map(type, numbers)) and _CATEGORIES.issuperset(map(type, categories)):
                return shape.joined(numbers) + self._written(shape, categories)
        return self._learned(features)

    def _learned(self, features: Mapping[str, object]) -> bytes:
        """The maps by the general rules, from which the next ones are taken to look alike."""
        numbers, categories = split_features(features, self._categorical)
        shape = _Shape(tuple(numbers), tuple(categories))
        if len(self._shapes) >= _SHAPES:
            self._shapes.clear()
        self._shapes[tuple(features)] = shape
        parts = [shape.joined(tuple(numbers.values()))]
        if categories:
            parts.append(length(len(categories)))
            parts += [
                text_bytes(name) + (_NULL if value is None else _SOME + text_bytes(value))
                for name, value in categories.items()
            ]
        return b"".join([*parts, _END])

    def _written(self, shape: _Shape, categories: Sequence[Any]) -> bytes:
        known = self._texts
        try:
            # booleans have entries of their own: no other value equal to one comes here
            texts = [known[value] for value in categories]
        except KeyError:
            texts = [self._text(value) for value in categories]
        return b"".join([*chain.from_iterable(zip(shape.category_names, texts, strict=True)), _END])

    def _text(self, value: object) -> bytes:
        written = text_bytes(("true" if value else "false") if isinstance(value, bool) else value)
        if len(self._texts) < _TEXTS and len(written) <= _LONGEST_TEXT:
            self._texts[value] = written
        return written


class _Shape:
    """What features of the same names and kinds have in common."""

    def __init__(self, numeric: Sequence[str], categorical: Sequence[str]) -> None:
        self.numbers = _values_of(numeric)
        self.categories = _values_of(categorical)
        self.category_names = _begun([text_bytes(name) + _SOME for name in categorical], len(categorical))
        self._numeric = numeric
        self._names = [text_bytes(name) for name in numeric]
        begun = _begun([name + _SOME for name in self._names], len(numeric))
        # names and numbers in turn, and a zero that ends the map
        self._pack = struct.Struct("<" + "".join(f"{len(name)}sd" for name in begun) + "x").pack
        self._turns: list[Any] = list(chain.from_iterable((name, 0.0) for name in begun))

    def packed(self, numbers: Sequence[float]) -> bytes:
        """The numeric map where no number is null."""
        turns = self._turns[:]
        turns[1::2] = numbers
        return self._pack(*turns)

    def joined(self, numbers: Sequence[Any]) -> bytes:
        """The numeric map of numbers and nulls; raises `InvalidEvent`."""
        if not numbers:
            return _END
        doubles = [
            value if type(value) is float else number(f"features.{name}", value)
            for name, value in zip(self._numeric, numbers, strict=True)
        ]
        entries = [
            name + (_NULL if double is None else _some_double(2, double))
            for name, double in zip(self._names, doubles, strict=True)
        ]
        return b"".join([length(len(entries)), *entries, _END])


def _begun(names: list[bytes], count: int) -> list[bytes]:
    """The names of a map, the first behind the count of its entries."""
    return [length(count) + names[0], *names[1:]] if names else []


def _values_of(names: Sequence[str]) -> Callable[[Mapping[str, object]], Sequence[Any]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda features: [features[name] for name in names]


def _doubles(field: str, values: Mapping[str, object]) -> bytes:
    found = numbers_of(field, values)
    return b"".join(
        [length(len(found)), *(text_bytes(name) + _double(value) for name, value in found.items()), _END]
    )


def _segments(values: Mapping[str, object]) -> bytes:
    found = categories_of("segments", values)
    if not found:
        return _END
    return b"".join(
        [length(len(found)), *(text_bytes(name) + text_bytes(value) for name, value in found.items()), _END]
    )


def _ids(request_id: object, item_index: object, rank: object, entity_id: object) -> bytes:
    return b"".join(
        (
            _NULL if request_id is None else _SOME + text_bytes(_identifier("request_id", request_id)),
            _NULL if item_index is None else _SOME + _whole("item_index", item_index),
            _NULL if rank is None else _SOME + _whole("rank", rank),
            _NULL if entity_id is None else _SOME + text_bytes(_identifier("entity_id", entity_id)),
        )
    )


def _more(
    probabilities: Mapping[str, object] | None,
    quantiles: Mapping[str, object] | None,
    segments: Mapping[str, object] | None,
    status: str,
    error: object,
) -> bytes:
    return b"".join(
        (
            _doubles("probabilities", probabilities) if probabilities else _END,
            _doubles("quantiles", quantiles) if quantiles else _END,
            _segments(segments) if segments else _END,
            text_bytes("error" if error is not None and status == "ok" else status),
            _text_or_null(error),
        )
    )


def _text_or_null(value: object) -> bytes:
    return _NULL if value is None else _SOME + text_bytes(value)


def _identifier(field: str, value: object) -> str:
    return value if type(value) is str and value else identifier(field, value)


def _whole(field: str, value: object) -> bytes:
    found = whole(field, value)
    assert found is not None
    return whole_bytes(found)
