"""What differs between two contracts: each field, whether it changes the shape, and whether a rule on events tightens or loosens. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stream_processors.contracts.model import Contract

Place = tuple[str, ...]
Effect = Literal["tightened", "loosened", "changed"]
Flat = dict[Place, Any]


@dataclass(frozen=True)
class Change:
    """One field that differs.

    Attributes:
        field: path such as ``features.age.minimum``; a feature that only one contract has is one change, ``features.age``.
        before, after: as in canonical JSON; None where one contract has nothing.
        shape: it changes the shape: windows that straddle the change are read as two.
        rule: what it does to the rules that events keep or break; None: nothing.
    """

    field: str
    before: Any
    after: Any
    shape: bool
    rule: Effect | None


def changes(before: Contract, after: Contract) -> list[Change]:
    """Every difference, in the order of the contract's fields; empty for contracts that say the same."""
    old, new = _flat(before, after), _flat(after, before)
    old_shape, new_shape = _shape_fields(before), _shape_fields(after)
    found = []
    for place in dict.fromkeys([*old, *new]):
        was, becomes = old.get(place), new.get(place)
        if was != becomes:
            shape = old_shape.get(place, ...) != new_shape.get(place, ...)
            rule = _effect(place, was, becomes, after)
            found.append(Change(".".join(place), was, becomes, shape, rule))
    return found


def _flat(contract: Contract, other: Contract) -> Flat:
    """Every field by its place; features that the other contract does not have are one field each."""
    body = contract.model_dump(mode="json")
    features, slices = body.pop("features"), body.pop("slices")
    flat: Flat = {}
    for name, value in body.items():
        flat |= _laid((name,), value)
    for name, feature in features.items():
        place = ("features", name)
        flat |= _laid(place, feature) if name in other.features else {place: feature}
    order = [",".join(one["by"]) for one in slices]
    theirs = [",".join(one.by) for one in other.slices]
    if order != theirs and sorted(order) == sorted(theirs):
        flat["slices",] = order
    return flat | {("slices", by): one["values"] for by, one in zip(order, slices, strict=True)}


def _laid(place: Place, value: Any) -> Flat:
    """The leaves of nested mappings."""
    if not isinstance(value, Mapping):
        return {place: value}
    return {inner: leaf for name, one in value.items() for inner, leaf in _laid((*place, name), one).items()}


def _shape_fields(contract: Contract) -> Flat:
    """What `Contract.shape` is made of, by the places of `_flat`."""
    facts = contract.shape_facts()
    flat: Flat = {
        ("windows", "base"): facts["base"],
        ("prediction", "score_precision"): facts["score_precision"],
        ("slices",): [one["by"] for one in facts["slices"]],
    }
    flat |= {("slices", ",".join(one["by"])): one["values"] for one in facts["slices"]}
    for name, feature in facts["features"].items():
        flat["features", name] = feature
        flat |= {("features", name, field): value for field, value in feature.items()}
    return flat


def _effect(place: Place, before: Any, after: Any, contract: Contract) -> Effect | None:
    match place:
        case ("features", _):
            return "tightened" if before is None else "loosened"
        case ("features", name, "values") if not contract.features[str(name)].only_listed:
            return None
        case ("features", _, field) | ("windows", "keep_days" as field) | (field,):
            rule = _RULES.get(str(field))
            return None if rule is None else rule(before, after)
    return None


def _rising(before: Any, after: Any) -> Effect:
    """More is stricter; nothing is no limit."""
    least = -math.inf
    return (
        "tightened"
        if (least if after is None else after) > (least if before is None else before)
        else "loosened"
    )


def _falling(before: Any, after: Any) -> Effect:
    """Less is stricter; nothing is no limit."""
    return _rising(None if before is None else -before, None if after is None else -after)


def _list(before: Any, after: Any) -> Effect | None:
    """A shorter list is stricter; it counts where only listed values are allowed, which is a rule of its own."""
    was, becomes = set(before or ()), set(after or ())
    if was == becomes:
        return None
    if before is None or after is None or not (was <= becomes or was >= becomes):
        return "changed"
    return "tightened" if was > becomes else "loosened"


def _protection(before: Any, after: Any) -> Effect:
    if before == "none":
        return "tightened"
    return "loosened" if after == "none" else "changed"


def _changed(before: Any, after: Any) -> Effect:
    return "changed"


_RULES: Mapping[str, Callable[[Any, Any], Effect | None]] = {
    "kind": _changed,
    "required": _rising,
    "only_listed": _rising,
    "minimum": _rising,
    "maximum": _falling,
    "values": _list,
    "pii": _protection,
    "bucket": _changed,
    "entity_id": _protection,
    "environment": _changed,
    "on_violation": lambda before, after: _rising(before == "reject", after == "reject"),
    "retention_days": lambda before, after: _falling(before or None, after or None),
    "keep_days": lambda before, after: _falling(before or None, after or None),
}
