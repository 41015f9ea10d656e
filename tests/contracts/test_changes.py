"""What differs between two contracts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_processors.contracts.changes import changes
from stream_processors.contracts.model import Contract

AGE = {"kind": "numeric", "minimum": 0, "precision": 7}
PLAN = {"kind": "categorical", "values": ["a", "b"], "only_listed": True}
BASE: dict[str, Any] = {
    "model": "m",
    "features": {"age": AGE, "plan": PLAN, "free": {"kind": "categorical", "values": ["x"]}},
    "slices": [{"by": "plan", "values": ["a"]}, {"by": "free", "values": ["x"]}],
    "drift": {"warn": 0.1},
    "retention_days": 90,
}


def feature(name: str, **change: Any) -> dict[str, Any]:
    """The base's features with one changed."""
    return {"features": {**BASE["features"], name: {**BASE["features"].get(name, {}), **change}}}


def of(change: dict[str, Any]) -> Contract:
    """The base, changed."""
    return Contract.model_validate(BASE | change)


CHANGES = [
    (feature("age", precision=9), [("features.age.precision", 7, 9, True, None)]),
    (feature("age", minimum=1), [("features.age.minimum", 0.0, 1.0, False, "tightened")]),
    (feature("age", minimum=None), [("features.age.minimum", 0.0, None, False, "loosened")]),
    (feature("age", maximum=9), [("features.age.maximum", None, 9.0, False, "tightened")]),
    (feature("age", required=True), [("features.age.required", False, True, False, "tightened")]),
    (feature("plan", values=["a"]), [("features.plan.values", ["a", "b"], ["a"], True, "tightened")]),
    (
        feature("plan", values=["a", "b", "c"]),
        [("features.plan.values", ["a", "b"], ["a", "b", "c"], True, "loosened")],
    ),
    (feature("plan", values=["a", "c"]), [("features.plan.values", ["a", "b"], ["a", "c"], True, "changed")]),
    (feature("plan", values=["b", "a"]), [("features.plan.values", ["a", "b"], ["b", "a"], False, None)]),
    (feature("plan", only_listed=False), [("features.plan.only_listed", True, False, False, "loosened")]),
    (feature("plan", precision=9), [("features.plan.precision", 5, 9, False, None)]),
    (feature("free", values=["y"]), [("features.free.values", ["x"], ["y"], True, None)]),
    (feature("free", pii="hash"), [("features.free.pii", "none", "hash", True, "tightened")]),
    (feature("age", kind="categorical"), [("features.age.kind", "numeric", "categorical", True, "changed")]),
    (feature("age", drift={"warn": 0.3}), [("features.age.drift.warn", None, 0.3, False, None)]),
    ({"drift": {"warn": 0.2}}, [("drift.warn", 0.1, 0.2, False, None)]),
    ({"owner": "ops"}, [("owner", None, "ops", False, None)]),
    ({"on_violation": "reject"}, [("on_violation", "warn", "reject", False, "tightened")]),
    ({"retention_days": 0}, [("retention_days", 90, 0, False, "loosened")]),
    ({"retention_days": 30}, [("retention_days", 90, 30, False, "tightened")]),
    ({"windows": {"keep_days": 90}}, [("windows.keep_days", 0, 90, False, "tightened")]),
    ({"entity_id": "drop"}, [("entity_id", "none", "drop", False, "tightened")]),
    ({"windows": {"base": "5min", "rollups": ["1h", "1d"]}}, [("windows.base", 60, 300, True, None)]),
    ({"slices": BASE["slices"][:1]}, [("slices.free", [["x"]], None, True, None)]),
    ({"slices": BASE["slices"][::-1]}, [("slices", ["plan", "free"], ["free", "plan"], True, None)]),
    ({"routes": {"severe": ["pager"]}}, [("routes.severe", None, ["pager"], False, None)]),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_each_change_is_told(change: dict[str, Any], expected: list[tuple[Any, ...]]) -> None:
    """Field, from, to, whether it splits windows, and what it does to the rules on events."""
    found = [(one.field, one.before, one.after, one.shape, one.rule) for one in changes(of({}), of(change))]
    assert found == expected


def test_a_feature_that_comes_or_goes_is_one_change() -> None:
    """With all that is said of it."""
    without = of({"features": {"plan": PLAN, "free": BASE["features"]["free"]}})
    (gone,) = changes(of({}), without)
    assert (gone.field, gone.before["minimum"], gone.after) == ("features.age", 0.0, None)
    assert (gone.shape, gone.rule) == (True, "loosened")
    (come,) = changes(without, of({}))
    assert (come.before, come.shape, come.rule) == (None, True, "tightened")


def test_the_same_is_no_change() -> None:
    """However it is written."""
    again = of({"features": dict(reversed(BASE["features"].items()))})
    assert changes(of({}), again) == []


FEATURES = st.dictionaries(
    st.sampled_from(["a", "b", "a.kind", "drift", "é"]),
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["numeric", "categorical"])},
        optional={
            "precision": st.integers(4, 6),
            "values": st.lists(st.sampled_from("xyz"), unique=True),
            "pii": st.sampled_from(["none", "drop", "hash"]),
            "required": st.booleans(),
        },
    ),
)
CONTRACTS = st.fixed_dictionaries(
    {"model": st.just("m"), "features": FEATURES},
    optional={
        "slices": st.lists(
            st.fixed_dictionaries(
                {
                    "by": st.sampled_from(["a", "b", "s"]),
                    "values": st.lists(st.sampled_from("xy"), unique=True),
                }
            ),
            unique_by=lambda one: one["by"],
        ),
        "windows": st.sampled_from(
            [{"base": 60}, {"base": 1, "rollups": []}, {"base": 60, "rollups": ["1h"]}]
        ),
        "prediction": st.fixed_dictionaries({}, optional={"score_precision": st.integers(6, 8)}),
        "owner": st.sampled_from(["x", "y"]),
    },
).map(Contract.model_validate)


@given(CONTRACTS, CONTRACTS)
def test_the_shape_changes_with_a_field_that_says_so(before: Contract, after: Contract) -> None:
    """What a reader of the table concludes is what processors do; and contracts with other digests differ somewhere."""
    found = changes(before, after)
    assert any(one.shape for one in found) == (before.shape() != after.shape())
    assert bool(found) == (before.digest() != after.digest())
