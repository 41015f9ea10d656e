"""The histogram read in SQL, as docs/sketches.md shows it, answers what Python answers, and comes back into Python."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from recorded_rows import Recorder, utc

from stream_processors.contracts.model import Contract
from stream_processors.sketches import NumericSketch, TableSketch, sketch_table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sketches.md"
START = utc("2024-03-01")
MINUTE = timedelta(minutes=1)
CONTRACT = Contract.model_validate(
    {
        "model": "churn",
        "features": {
            "tenure_months": {"kind": "numeric", "precision": 7},
            "plan": {"kind": "categorical", "values": ["basic", "plus"]},
        },
    }
)


def shown() -> str:
    """The page's first query."""
    found = re.search(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def recorded(sketch: TableSketch, number: int) -> list[dict[str, Any]]:
    """Rows of the table for one delta of one minute: its columns, and its events."""
    place = {
        "kind": "delta",
        "model": "churn",
        "model_version": "1",
        "environment": "production",
        "served": True,
        "sampling_rate": 1.0,
        "shape": "s",
        "window_start": START + number * MINUTE,
        "window_end": START + (number + 1) * MINUTE,
        "topic_id": "topic",
        "parts": 1,
        "first_offset": number,
    }
    rows = sketch.to_arrow().to_pylist()
    events = {**place, "column": "@events", "column_kind": "events", "events": sketch.events}
    return [events, *({**place, **row, "events": 0} for row in rows)]


@pytest.fixture
def parts(record: Recorder) -> list[TableSketch]:
    """A table in five parts, each recorded as the delta of a minute."""
    chance = np.random.default_rng(5)
    table = pa.table(
        {
            "tenure_months": pa.array(chance.gamma(2, 20, 5_000), mask=chance.random(5_000) < 0.1),
            "plan": chance.choice(["basic", "plus", "other"], 5_000),
        }
    )
    made = [sketch_table(table.slice(1_000 * n, 1_000), CONTRACT) for n in range(5)]
    record.insert("sketches", [row for number, one in enumerate(made) for row in recorded(one, number)])
    return made


def test_the_page_has_the_same_quantiles_in_sql(record: Recorder, parts: list[TableSketch]) -> None:
    """Merged over windows in SQL, median and 99th percentile are those of the sketch merged in Python, to the bit."""
    (row,) = record.store.rows(shown())
    whole = TableSketch.merged(parts)["tenure_months"]
    assert isinstance(whole, NumericSketch)
    assert row["n"] == whole.finite
    assert row["quantiles"] == [whole.quantile(0.5), whole.quantile(0.99)]


def test_the_table_is_read_back(record: Recorder, parts: list[TableSketch]) -> None:
    """What an analyst selects from `sketches` is the sketch of all rows."""
    found = TableSketch.from_arrow(record.store.arrow("SELECT * FROM sketches"))
    whole = TableSketch.merged(parts)
    assert found.events == 5_000
    for name in whole:
        assert found[name].counts.tolist() == whole[name].counts.tolist()
        assert found[name].n == whole[name].n
