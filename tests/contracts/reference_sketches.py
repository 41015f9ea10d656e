"""Reference sketches without columns, as `infer` makes them of one day each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from stream_processors.contracts.model import Contract


def reference_of(one: Contract, *windows: int) -> list[dict[str, Any]]:
    """One of each of these days of 2026."""
    day = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        {
            "kind": "reference",
            "model": one.model,
            "model_version": "",
            "shape": one.shape(),
            "slice": "",
            "window_start": day + timedelta(days=number),
            "window_end": day + timedelta(days=number + 1),
            "topic_id": "",
            "source_partition": -1,
            "first_offset": 0,
            "next_offset": 0,
            "part": 0,
            "parts": 1,
            "events": 10,
            "errors": 0,
            "warnings": 0,
        }
        for number in windows
    ]
