"""Why an answer about classes is empty, in one line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from recorded_rows import Recorder, label, prediction

from evaluation.history import History
from evaluation.queries import find_query
from hindcast.cli.unrecorded import what_lacks
from producers.errors import ConfigError

MAY = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", ["calibration", "roc_auc_by_month"])
def test_truths_that_are_of_no_known_class_are_told(ask: History, record: Recorder, name: str) -> None:
    """Without a contract nobody knows which of `paid` and `late` is the positive class; true and false are known."""
    record.insert("predictions", [prediction(one, MAY, score=0.5) for one in ("a", "b")])

    def why() -> str | None:
        return what_lacks(ask, find_query(name), {"model": "m"}, MAY)

    assert why() == "no prediction of model m in production has a truth"
    record.insert("labels", [label("a", MAY, "paid")])
    assert not ask.query(name, model="m").num_rows
    assert why() == (
        "no contract of model m in production names the positive class, and without one only the truths true and false are classes"
    )
    record.insert("labels", [label("b", MAY, "true")])
    assert why() is None


@pytest.mark.parametrize("name", ["drift_by_feature", "most_drifted"])
def test_a_model_without_a_baseline_is_told(ask: History, record: Recorder, name: str) -> None:
    """Its windows have verdicts, which say `no_reference`: an empty answer alone would read as no drift."""
    record.insert("predictions", [prediction("a", MAY)])

    def why() -> str | None:
        return what_lacks(ask, find_query(name), {"model": "m"}, MAY)

    assert why() == "no window of model m in production has a verdict yet"
    window = {"window_start": MAY, "window_end": MAY + timedelta(hours=1), "revision": 1}
    verdict = {"model": "m", "environment": "production", "model_version": "1", "served": True, **window}
    record.insert("drift", [{**verdict, "column": "@model", "reference": "", "state": "no_reference"}])
    assert not ask.query(name, model="m").num_rows
    assert why() == (
        "no window of model m in production was compared with training: its verdicts say no_reference,"
        " as without a baseline there is nothing to compare with"
    )
    record.insert(
        "drift", [{**verdict, "column": "age", "reference": "training", "state": "ok", "revision": 2}]
    )
    assert why() is None


def test_no_buckets_are_refused(ask: History) -> None:
    """None would be answered as one."""
    with pytest.raises(ConfigError, match="buckets wants a whole number from 1 to"):
        ask.query("calibration", model="m", buckets=0)
