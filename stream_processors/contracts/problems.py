"""What a contract's file may not say: fields that are none, and fields that, each fine alone, do not go together. Pure.

The second is asked of files only. What is on the topic is read whatever it says: contracts are kept for ever, and one that was published before a rule was
written here still applies to its events.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from producers.at_source.promises import protection_problem
from stream_processors.contracts.document import Document, Place
from stream_processors.contracts.values import seconds
from stream_processors.windows import SECOND, Width

if TYPE_CHECKING:
    from stream_processors.contracts.model import Contract, Feature, Prediction

Mistakes = Iterator[tuple[Place, str]]

# a message of Kafka is of at most a million bytes by default, and holds who published it and why as well
_MOST_BYTES = 950_000

_DIGEST = re.compile("[0-9a-f]{64}")

_REASONS = {
    "extra_forbidden": "no contract has such a field",
    "missing": "is required",
    **dict.fromkeys(("model_type", "dict_type", "mapping_type"), "a mapping is wanted"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list is wanted"),
    **dict.fromkeys(("string_type",), "a text is wanted: put it in quotation marks"),
    **dict.fromkeys(("float_type", "float_parsing", "int_type", "int_parsing"), "a number is wanted"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false is wanted"),
    "int_from_float": "a whole number is wanted",
}


def schema_mistakes(document: Document, error: ValidationError) -> list[tuple[Place, str]]:
    """Places of the document and what pydantic has against what stands there."""
    return [_schema_mistake(document, one) for one in error.errors()]


def _schema_mistake(document: Document, error: ErrorDetails) -> tuple[Place, str]:
    # pydantic's names for the alternatives of a type are no part of the place
    kind, place = error["type"], error["loc"]
    if kind == "literal_error":
        reason = f"{error['ctx']['expected']} is wanted"
    else:
        told = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
        reason = _REASONS.get(kind, told)
    return place if kind == "missing" else document.known(place), reason


def mistakes(contract: Contract) -> Mistakes:
    """Places of the contract and why what stands there cannot be."""
    if contract.environment == "":
        yield ("environment",), "a name is wanted; leave it out for every environment"
    yield from _of_prediction(contract.prediction)
    for name, feature in contract.features.items():
        for field, reason in _of_feature(feature):
            yield ("features", name, field), reason
    for name, feature in contract.features.items():
        severe = feature.drift.severe or contract.drift.severe
        if feature.drift.warn is not None and severe < feature.drift.warn:
            whose = "" if feature.drift.severe else f", which is the contract's {contract.drift.severe:g}"
            yield ("features", name, "drift"), f"severe is below warn{whose}"
    yield from _of_slices(contract)
    for rollup in contract.windows.rollups:
        if not _is_aligned(rollup):
            yield ("windows", "rollups"), f"roll-up {rollup}: a divisor of a day, 1d, 1w or month is wanted"
    keep, rows = contract.windows.keep_days, contract.retention_days
    if keep and not 0 < rows <= keep:
        # what they count could no longer be compared with rows that are there still
        kept = "for ever" if rows == 0 else f"for {rows} days"
        yield (
            ("windows", "keep_days"),
            f"predictions are kept {kept} (retention_days), and windows no shorter",
        )
    if contract.drift.severe < contract.drift.warn:
        yield ("drift", "severe"), "is below warn"
    yield from _of_references(contract)
    size = len(contract.canonical().encode())
    if size > _MOST_BYTES:
        yield (), f"takes {size:,} bytes, and {_MOST_BYTES:,} at most go into a message: shorten its lists"


def lacks_positive_class(prediction: Prediction) -> bool:
    """Whether a binary prediction names its classes and not the positive one: that is then ``true``, and is none of them."""
    return (
        prediction.kind == "binary"
        and prediction.positive_class is None
        and bool(prediction.classes)
        and "true" not in prediction.classes
    )


def _of_prediction(prediction: Prediction) -> Mistakes:
    classes, positive, threshold = prediction.classes, prediction.positive_class, prediction.threshold
    if classes and prediction.kind in {"regression", "ranking"}:
        yield ("prediction", "classes"), f"a {prediction.kind} has no classes"
    if positive is not None and prediction.kind != "binary":
        yield ("prediction", "positive_class"), "only a binary prediction has one"
    if positive is not None and classes and positive not in classes:
        yield ("prediction", "positive_class"), "is not among the classes"
    if lacks_positive_class(prediction):
        reason = "is required, as `true` is not among the classes: say whose probability the score is"
        yield ("prediction", "positive_class"), reason
    if prediction.kind == "binary" and len(classes) > 2:
        yield ("prediction", "classes"), "a binary prediction has two at most: say `kind: multiclass`"
    if _repeated(classes):
        yield ("prediction", "classes"), "a class stands twice"
    if threshold is not None and not math.isfinite(threshold):
        yield ("prediction", "threshold"), "a finite number is wanted"
    elif threshold is not None and prediction.kind == "binary" and not 0 <= threshold <= 1:
        yield ("prediction", "threshold"), "a probability is from 0 to 1"


def _of_feature(feature: Feature) -> Iterator[tuple[str, str]]:
    problem = protection_problem(feature.kind, feature.pii, feature.bucket, feature.values)
    if problem:
        yield "pii", problem
    limits = {"minimum": feature.minimum, "maximum": feature.maximum}
    for field, limit in limits.items():
        if limit is not None and not math.isfinite(limit):
            yield field, "a finite number is wanted"
        if limit is not None and feature.kind != "numeric":
            yield field, "only a numeric feature has a range"
    if feature.minimum is not None and feature.maximum is not None and feature.minimum > feature.maximum:
        yield "minimum", "is above maximum"
    if feature.values is not None and feature.kind != "categorical":
        yield "values", "only a categorical feature has a list"
    if _repeated(feature.values or ()):
        yield "values", "a value stands twice"


def _of_slices(contract: Contract) -> Mistakes:
    for place, sliced in enumerate(contract.slices):
        for name in sliced.by:
            feature = contract.features.get(name)
            if feature is not None and feature.hidden:
                reason = f"{name} says `pii: {feature.pii}`, so these values never arrive"
                yield ("slices", place, "by"), reason
            elif feature is not None and feature.kind != "categorical":
                yield ("slices", place, "by"), f"{name} is numeric: slices are by categories and segments"
        if _repeated(sliced.values):
            yield ("slices", place, "values"), "a value stands twice"


def _of_references(contract: Contract) -> Mistakes:
    for place, compared in enumerate(contract.drift.references):
        if compared != "training":
            yield ("drift", "references", place), "`training` is the only one yet"
    for name, digest in contract.references.items():
        if name != "training":
            yield ("references", name), "`training` is the only one yet"
        elif not _DIGEST.fullmatch(digest):
            reason = (
                "the digest of a baseline is wanted, 64 hex digits: leave it out, and publish fills it in"
            )
            yield ("references", name), reason


def _is_aligned(rollup: str) -> bool:
    try:
        return rollup == "month" or bool(Width(seconds(rollup) * SECOND))
    except ValueError:
        return False


def _repeated(values: tuple[object, ...]) -> bool:
    return any(count > 1 for count in Counter(values).values())
