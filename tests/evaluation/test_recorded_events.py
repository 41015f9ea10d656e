"""Recorded predictions read in blocks: each once, whatever the blocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from recorded_rows import Recorder, prediction

from evaluation import recorded_events
from evaluation.history import History
from evaluation.recorded_events import Asked, RecordedEvents
from producers.errors import ConfigError

START = datetime(2026, 3, 1, 7, tzinfo=UTC)
# an hour of many, a gap, and hours of a few
TIMES = {
    f"p{n}": START + timedelta(hours=hour, seconds=n)
    for n, hour in enumerate([0] * 50 + [9] * 3 + [10] * 2 + [11] * 4)
}


def filled(record: Recorder) -> None:
    """Those predictions, some of them sent twice, with four features each, and one of another model."""
    features = {"a": 1.0, "b": 2.0, "c": None}
    rows = [
        prediction(name, at, numeric_features=features, categorical_features={"d": "x"})
        for name, at in TIMES.items()
    ]
    record.insert("predictions", rows)
    record.insert("predictions", rows[:20])
    record.insert("predictions", [prediction("other", START, model="other")])


def asked(since: datetime, until: datetime) -> Asked:
    """Predictions of the model."""
    return Asked("m", None, since, until)


@pytest.mark.parametrize(
    ("most", "entries"), [(50_000, 2_000_000), (7, 2_000_000), (1, 2_000_000), (50_000, 20)]
)
def test_every_prediction_is_read_once(
    record: Recorder, ask: History, monkeypatch: pytest.MonkeyPatch, most: int, entries: int
) -> None:
    """In blocks of few events, or of few map entries; the newest hours first; and the plan counts what it reads."""
    filled(record)
    monkeypatch.setattr(recorded_events, "BLOCK_ROWS", most)
    monkeypatch.setattr(recorded_events, "_BLOCK_ENTRIES", entries)
    recorded = RecordedEvents(ask, asked(START, START + timedelta(days=1)))
    read = [recorded.read(block) for block in recorded.blocks]
    times = [at for batch in read for at in batch.column("event_time").to_pylist()]
    assert sorted(times) == sorted(TIMES.values())
    hours = [block.first for block in recorded.blocks]
    assert hours == sorted(hours, reverse=True)
    bound = min(most, entries // 4)
    assert all(block.events <= bound for block in recorded.blocks)
    assert recorded.events == len(TIMES) + 20
    # a hash spreads evenly, not exactly
    assert all(batch.num_rows <= 3 * bound + 5 for batch in read)


def test_the_bounds_are_those_asked_for(record: Recorder, ask: History) -> None:
    """From inclusive, to exclusive, to the second."""
    filled(record)
    recorded = RecordedEvents(ask, asked(TIMES["p3"], TIMES["p10"]))
    (block,) = recorded.blocks
    batch = recorded.read(block)
    assert sorted(batch.column("event_time").to_pylist()) == sorted(TIMES[f"p{n}"] for n in range(3, 10))
    with pytest.raises(
        ConfigError, match="no predictions of model m are recorded since 2026-03-09 00:00:00 UTC"
    ):
        RecordedEvents(ask, asked(datetime(2026, 3, 9, tzinfo=UTC), datetime(2026, 3, 10, tzinfo=UTC)))


def test_a_block_of_which_nothing_is_left_is_empty(record: Recorder, ask: History) -> None:
    """Predictions may expire between plan and reading."""
    filled(record)
    recorded = RecordedEvents(ask, asked(START, START + timedelta(days=1)))
    columns = recorded.read(recorded.blocks[0]).schema
    record.clear()
    again = recorded.read(recorded.blocks[0])
    assert (again.num_rows, again.schema) == (0, columns)
