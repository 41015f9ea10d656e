"""Versions of models on record, without a look at every prediction for every label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from recorded_rows import Recorder, migrated_record, prediction, utc

from stream_processors.joiner.versions import Versions

NOON = utc("2026-01-01T12:00:00")


@pytest.fixture
def record(clickhouse: str) -> Iterator[Recorder]:
    """A database of its own."""
    with migrated_record(clickhouse) as found:
        yield found


def stands(offset: int, version: str, **more: Any) -> dict[str, Any]:
    """A prediction of partition 0 of topic ``t``."""
    place = {"_topic_id": "t", "_partition": 0, "_offset": offset}
    return prediction(f"p{offset}", NOON, model_version=version, **{**place, **more})


def found(versions: Versions, models: list[str], end: int) -> list[tuple[str, str, str]]:
    """Model, version and environment of each, in order."""
    rows = versions.of(models, {0: end}).to_pylist()
    return [(row["model"], row["model_version"], row["environment"]) for row in rows]


def test_all_that_is_there_and_then_what_comes(record: Recorder) -> None:
    """The first question reads all rows, of every topic and partition; each later one those of offsets that nobody had asked of."""
    production, shadow = ("m", "1", "production"), ("m", "2", "shadow")
    old = stands(70, "0", _topic_id="deleted", _partition=3)
    record.insert("predictions", [old, stands(0, "1"), stands(1, "1")])
    versions = Versions(record.store, "t")
    assert found(versions, ["m"], 2) == [("m", "0", "production"), production]
    record.insert("predictions", [stands(2, "2", environment="shadow"), stands(3, "9", model="other")])
    assert found(versions, ["m"], 2) == [("m", "0", "production"), production]
    assert found(versions, ["m"], 4) == [("m", "0", "production"), production, shadow]
    assert found(versions, ["other", "m", "unknown"], 4)[-1] == ("other", "9", "production")
    # below what was asked of: only a question that reads all again would see it
    record.insert("predictions", [stands(1, "3")])
    assert len(found(versions, ["m"], 5)) == 3
    assert len(found(Versions(record.store, "t"), ["m"], 5)) == 4


def test_nothing_recorded(record: Recorder) -> None:
    """No rows, and the columns."""
    assert Versions(record.store, "t").of(["m"], {}).column_names == [
        "model",
        "output",
        "model_version",
        "environment",
    ]
