"""What callers have in their hands beside plain values: series, arrays, tensors, times of numpy, broken objects and texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from producers import InvalidEvent, PredictionLogger
from producers.testing import MemorySink

HALF = "a\ud800b"


class Tensor:
    """One of several values, as torch answers."""

    def item(self) -> float:
        """There is no single one."""
        raise RuntimeError("a Tensor with 2 elements cannot be converted to Scalar")


class Broken:
    """A mapping that cannot be read."""

    def keys(self) -> list[str]:
        """There are none to be had."""
        raise RuntimeError("closed")


class NoZone(tzinfo):
    """A zone that does not know its offset."""

    def utcoffset(self, _: datetime | None) -> timedelta:
        """It is not told."""
        raise OSError("no such zone")


PREDICTIONS = [
    *[
        {name: odd}
        for name in ("features", "probabilities", "quantiles", "segments")
        for odd in (["US", "DE"], [("a", 1.0)], [], "", {"ab"}, np.array([1.0, 2.0]), pl.Series([1.0, 2.0]), Broken())
    ],
    *[
        {name: odd}
        for name in ("event_time", "target_time", "known_at")
        for odd in (pd.NaT, datetime(2026, 1, 1, tzinfo=NoZone()), np.datetime64("2026-01-01", "ns"))
    ],
    *[
        {name: odd}
        for name in ("score", "latency_ms", "sampling_rate")
        for odd in (Tensor(), np.array([0.5, 0.5]), np.timedelta64(5, "ns"), np.timedelta64(5))
    ],
    *[{"decision": odd} for odd in (Tensor(), np.array(["a", "b"]), np.timedelta64(5, "ns"), HALF)],
    *[{name: HALF} for name in ("prediction_id", "output", "model_version", "environment")],
    *[{name: np.array(["a", "b"])} for name in ("prediction_id", "output", "model_version", "environment")],
    *[{"served": odd} for odd in ("false", "", 2, 1, 0, 0.5, None, pd.NA, [], np.array([True, False]), Tensor())],
]  # fmt: skip


@pytest.mark.parametrize("said", PREDICTIONS)
def test_an_odd_object_of_a_prediction_is_refused_in_the_call(
    log: PredictionLogger, said: dict[str, Any]
) -> None:
    """Whatever the object itself would raise, the call raises InvalidEvent with the field's name, and nothing is counted."""
    (field,) = said
    with pytest.raises(InvalidEvent) as refusal:
        log.prediction(**said)
    assert refusal.value.field == field
    assert log.stats.accepted == 0


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"reported_at": pd.NaT}, "reported_at"),
        ({"true_at": pd.NaT}, "true_at"),
        ({"truth": Tensor()}, "truth"),
        ({"truth": np.timedelta64(5, "ns")}, "truth"),
        ({"truth": np.datetime64(5, "ns")}, "truth"),
        ({"truth_value": np.timedelta64(5, "D")}, "truth_value"),
        ({"environment": HALF}, "environment"),
        ({"label_id": HALF}, "label_id"),
    ],
)
def test_an_odd_object_of_a_label_is_refused(log: PredictionLogger, said: dict[str, Any], field: str) -> None:
    """A label's are refused alike."""
    with pytest.raises(InvalidEvent) as refusal:
        log.label("p", **{"truth": "late", **said})
    assert refusal.value.field == field


@pytest.mark.parametrize("parameters", [[1], "C=1", np.array([1.0, 2.0]), Broken()])
def test_parameters_of_a_deployment_are_a_mapping(log: PredictionLogger, parameters: object) -> None:
    """A list is none."""
    with pytest.raises(InvalidEvent) as refusal:
        log.deployment(role="champion", parameters=parameters)
    assert refusal.value.field == "parameters"


def test_a_row_of_a_frame_is_the_features_that_it_is(log: PredictionLogger, sink: MemorySink) -> None:
    """A pandas Series is taken as a mapping, by the call and by a timed prediction; later changes of it are not seen."""
    row = pd.DataFrame({"age": [41.0], "plan": ["plus"]}).iloc[0]
    log.prediction(
        features=row, probabilities=pd.Series({"late": 0.75}), segments=pd.Series({"region": "east"})
    )
    with log.timed() as event:
        event.features = row
    row["age"] = 7.0
    log.flush()
    first, second = sink.records("predictions")
    for record in (first, second):
        assert record["numeric_features"] == {"age": 41.0}
        assert record["categorical_features"] == {"plan": "plus"}
    assert (first["probabilities"], first["segments"]) == ({"late": 0.75}, {"region": "east"})


def test_two_values_of_one_name_are_no_feature(log: PredictionLogger) -> None:
    """A Series may have a name twice, and a frame of several rows several values: neither of them is chosen."""
    log.prediction(features=pd.Series([1.0, 2.0], index=["a", "a"]))
    log.prediction(features=pd.DataFrame({"a": [1.0, 2.0]}))
    log.flush()
    assert log.stats.dropped == {"invalid": 2}


def test_what_is_false_is_false(log: PredictionLogger, sink: MemorySink) -> None:
    """Python's and numpy's booleans are taken for `served`."""
    for served in (True, False, np.bool_(True), np.bool_(False), np.array(False)):
        log.prediction(served=served)  # type: ignore[arg-type]  # which is the test
    log.flush()
    assert [record["served"] for record in sink.records("predictions")] == [True, False, True, False, False]


@pytest.mark.parametrize(
    "time",
    [
        np.timedelta64(5),
        *[kind(5, unit) for kind in (np.timedelta64, np.datetime64) for unit in ("Y", "D", "s", "us", "ns")],
    ],
    ids=repr,
)
@pytest.mark.parametrize("categorical", [(), ("when",)])
def test_a_time_of_numpy_is_no_value_in_any_unit(time: Any, categorical: tuple[str, ...]) -> None:
    """Neither a number nor a category, alone and in an array of one; none at all, NaT, is a null."""
    with PredictionLogger(
        model="m", sink=(sink := MemorySink()), strict=True, categorical=categorical
    ) as log:
        for value in (time, np.array([time])):
            with pytest.raises(InvalidEvent) as refusal:
                log.prediction(features={"when": value})
            assert refusal.value.field == "features.when"
        log.prediction(features={"when": type(time)("NaT", "ns")})
    (record,) = sink.records("predictions")
    assert record["numeric_features"] | record["categorical_features"] == {"when": None}


def test_texts_of_all_scripts_are_taken(log: PredictionLogger, sink: MemorySink) -> None:
    """Only half of a surrogate pair is no text."""
    said: dict[str, Any] = dict.fromkeys(
        ("prediction_id", "output", "model_version", "environment", "decision"), "飛✈️é"
    )
    log.prediction(**said)
    log.flush()
    (record,) = sink.records("predictions")
    assert {name: record[name] for name in said} == said


def test_a_default_may_be_said(log: PredictionLogger, sink: MemorySink) -> None:
    """Rates and names that are equal to the defaults are taken, of whatever type."""
    log.prediction(sampling_rate=1, output=np.str_(""), event_time=datetime(2026, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]
    log.prediction(sampling_rate=Decimal("1.0"))  # type: ignore[arg-type]
    log.flush()
    assert [(record["sampling_rate"], record["output"]) for record in sink.records("predictions")] == [
        (1.0, "")
    ] * 2
