"""What the stream and its processors left in the record beside the known predictions: intake, ledgers, sketches, verdicts, what was lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np
from recorded_rows import TOPIC_ID, utc

from stream_processors.sketches.bins import histogram_bins

PRECISION = 7
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DRIFTED = utc("2013-04-10")
Row = Mapping[str, Any]


def stream_rows(
    made: Sequence[Row], resent: Sequence[Row], facts: Sequence[Row]
) -> dict[str, list[dict[str, Any]]]:
    """Rows per table, made of the predictions in the order of their moments, those sent again, and the label facts."""
    messages = sorted([*made, *resent], key=lambda row: row["_appended_at"])
    return {
        "intake": [_arrival(row, offset) for offset, row in enumerate(messages)],
        "ledger": _ledgers(made),
        "stretches": [_stretch(0, 700, 700), _stretch(700, len(messages), len(messages) - 699)],
        "sketches": [sketch for day in _by_day(made) for sketch in _sketches(*day)],
        "drift": _verdicts(),
        "alerts": _alerts(),
        "dead_letters": _dead_letters(),
        "outcomes": _outcomes(made, facts),
    }


def _arrival(row: Row, offset: int) -> dict[str, Any]:
    names = ("model", "model_version", "environment", "served", "event_time", "producer_id", "sequence")
    return {
        **{name: row[name] for name in (*names, "_appended_at")},
        "window_start": _day(row["event_time"]),
        "prediction_id_hash": int(row["prediction_id"][1:]),
        "_offset": offset,
    }


def _ledgers(made: Sequence[Row]) -> list[dict[str, Any]]:
    """The producer's last word per hour; it took the event that never arrived in the hour of the one after it."""
    found = []
    for hour, rows in groupby(
        made, key=lambda row: row["event_time"].replace(minute=0, second=0, microsecond=0)
    ):
        numbers = [row["sequence"] for row in rows]
        at = hour + HOUR
        found.append(
            {
                "producer_id": "producer-1",
                "model": made[0]["model"],
                "environment": "production",
                "stream": "predictions",
                "hour": hour,
                "accepted": len(numbers) + (501 in numbers),
                "last_sequence": numbers[-1],
                "sent_at": at,
                "closing": True,
                "queue_limit": 100,
                "_appended_at": at,
                "_recorded_at": at,
            }
        )
    return found


def _stretch(first: int, following: int, events: int) -> dict[str, Any]:
    return {
        "topic_id": TOPIC_ID,
        "first_offset": first,
        "next_offset": following,
        "events": events,
        "newest_append_time": utc("2013-04-30T22:00"),
    }


def _by_day(made: Iterable[Row]) -> list[tuple[tuple[datetime, str, bool], list[Row]]]:
    found: dict[tuple[datetime, str, bool], list[Row]] = {}
    for row in made:
        found.setdefault((_day(row["event_time"]), row["model_version"], row["served"]), []).append(row)
    return list(found.items())


def _day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _sketches(key: tuple[datetime, str, bool], rows: list[Row]) -> list[dict[str, Any]]:
    day, version, served = key
    common = {
        "kind": "delta",
        "model": rows[0]["model"],
        "model_version": version,
        "environment": "production",
        "served": served,
        "sampling_rate": 1.0,
        "topic_id": TOPIC_ID,
        "window_start": day,
        "window_end": day + DAY,
    }
    events = {"column": "@events", "column_kind": "events", "events": len(rows)}
    numbers = {name: [row["numeric_features"][name] for row in rows] for name in ("distance", "temperature")}
    numbers["@score"] = [row["score"] for row in rows]
    words = {name: [row["categorical_features"][name] for row in rows] for name in ("carrier", "origin")}
    parts = [events, *map(_numeric, numbers.items()), *map(_categorical, words.items())]
    return [{**common, **part} for part in parts]


def _numeric(named: tuple[str, list[float | None]]) -> dict[str, Any]:
    column, every = named
    values = np.array([value for value in every if value is not None], dtype=float)
    bins, counts = np.unique(histogram_bins(values, PRECISION), return_counts=True)
    return {
        "column": column,
        "column_kind": "numeric",
        "precision": PRECISION,
        "bins": bins.tolist(),
        "counts": counts.tolist(),
        # what the model did not give is absent, and a feature's null a null
        "absent" if column.startswith("@") else "nulls": every.count(None),
        "sum": float(values.sum()),
        "sum_of_squares": float((values**2).sum()),
        "min": float(values.min()) if len(values) else None,
        "max": float(values.max()) if len(values) else None,
    }


def _categorical(named: tuple[str, list[str | None]]) -> dict[str, Any]:
    column, every = named
    values = sorted({value for value in every if value is not None})
    return {
        "column": column,
        "column_kind": "categorical",
        "values": values,
        "counts": [every.count(value) for value in values],
        "nulls": every.count(None),
    }


_VERSION_2 = {"model": "flights", "model_version": "2", "environment": "production", "served": True}


def _verdicts() -> list[dict[str, Any]]:
    def verdict(column: str, day: int, excess: float, **more: Any) -> dict[str, Any]:
        drifted = excess > 0.1
        return {
            **_VERSION_2,
            "reference": "training",
            "column": column,
            "window_start": DRIFTED + day * DAY,
            "window_end": DRIFTED + (day + 1) * DAY,
            "revision": 1000 + day,
            "complete": True,
            "state": "drifted" if drifted else "ok",
            "material": "severe" if drifted else "none",
            "significant": drifted,
            "n": 10,
            "psi": excess + 0.02,
            "psi_excess": excess,
            "p_adjusted": 0.001 if drifted else 0.4,
            **more,
        }

    return [
        *(verdict("distance", day, excess) for day, excess in enumerate([0.01, 0.31, 0.24])),
        *(verdict("distance", day, excess, slice="origin=JFK") for day, excess in enumerate([0.0, 0.42])),
        *(verdict("carrier", day, 0.02) for day in range(3)),
        # said first, and revised since
        {**verdict("carrier", 0, 0.9), "revision": 1},
        {**verdict("origin", 0, 0.0), "state": "insufficient"},
    ]


def _alerts() -> list[dict[str, Any]]:
    alert = {
        **_VERSION_2,
        "alert_id": "1f0c",
        "kind": "statistical",
        "metric": "drift",
        "reference": "training",
        "column": "distance",
        "severity": "severe",
        "started_at": DRIFTED + DAY,
        "owner": "o'brien",
        "summary": "distance drifted from training, severely",
    }
    said = [("firing", 1), ("resolved", 3)]
    return [
        {
            **alert,
            "state": state,
            "window_start": DRIFTED + day * DAY,
            "window_end": DRIFTED + (day + 1) * DAY,
            "_appended_at": DRIFTED + (day + 1) * DAY,
        }
        for state, day in said
    ]


def _dead_letters() -> list[dict[str, Any]]:
    letter = {"topic": "hindcast.predictions", "topic_id": TOPIC_ID, "value": "abc"}
    return [
        {
            **letter,
            "offset": 5000 + number,
            "appended_at": DRIFTED + number * HOUR,
            "_appended_at": DRIFTED + number * HOUR,
            "reason": reason,
            "detail": detail,
            "model": "flights" if reason == "contract" else "",
        }
        for number, (reason, detail) in enumerate(
            [
                ("undecodable", "ends within a field"),
                ("contract", "lacks distance"),
                ("contract", "distance is no number"),
            ]
        )
    ]


def _outcomes(made: Sequence[Row], facts: Sequence[Row]) -> list[dict[str, Any]]:
    """A row per prediction and fact about it."""
    told: dict[str, list[Row]] = {}
    for fact in facts:
        told.setdefault(fact["prediction_id"], []).append(fact)
    copied = (
        "prediction_id",
        "model",
        "model_version",
        "environment",
        "event_time",
        "served",
        "score",
        "decision",
    )
    names = ("label_id", "kind", "truth", "true_at", "reported_at", "known_at")
    return [
        {**{name: row[name] for name in copied}, **{name: fact[name] for name in names}}
        for row in made
        for fact in told.get(row["prediction_id"], [])
    ]
