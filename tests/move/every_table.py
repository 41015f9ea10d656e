"""Rows of two models for every table, with what is hard to carry: bytes, nulls, nesting, texts with quotation marks and line breaks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from producer_rows import arrival, ledger
from recorded_rows import Recorder, label, prediction, utc

DAY = timedelta(days=1)
MARCH, APRIL = utc("2024-03-01"), utc("2024-04-01")
MODELS = ("m", "n")
# so many predictions of each model, one a day, from March on; their truths come a month later
PREDICTIONS = 40
HARD = "tab\t quote' backslash\\ line\n end \U0001f600"
NOT_TEXT = bytes([0xFF, 0x00, 0x80])


def fill(record: Recorder) -> None:
    """Insert them."""
    one, other = map(_of_model, MODELS)
    for table, rows in one.items():
        record.insert(table, [*rows, *other[table]])
    record.insert("intake", taken_in(record, [*one["predictions"], *other["predictions"]]))
    record.insert("intake", [arrival(None, model="", environment="", dead=True, at=MARCH)])
    record.insert("stretches", [{"topic_id": "x", "first_offset": 0, "next_offset": 9, "events": 9}])
    # the same messages once more, as an insert that outlived its recorder would leave them
    record.store.command("INSERT INTO predictions SELECT * FROM predictions WHERE model = 'm'")
    for alone, until in (("true", "2030-01-01"), ("false", "2024-03-03")):
        record.store.command(
            "INSERT INTO rollups (model, model_version, environment, width, window_start, window_end, column, column_kind, bins, counts, up_to, alone, _rolled_at)"
            f" SELECT model, model_version, environment, if({alone}, 3600, 86400), window_start, window_start + 3600, column, 'numeric', bins, counts,"
            f" map('x/0', 5), {alone}, '2024-05-01' FROM sketches WHERE kind = 'delta' AND window_start < '{until}'"
        )
    record.store.command(
        "INSERT INTO dead_letters (topic, topic_id, partition, offset, appended_at, model, key, value, headers, _topic_id)"
        " SELECT 'predictions', 'x', 0, number, '2024-03-05', if(number = 2, 'm', ''), unhex('FF0080'),"
        " if(number = 1, NULL, unhex('80FF')), [('h', unhex('FE'))], 'd' FROM numbers(3)"
    )


def taken_in(record: Recorder, made: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    """A row of intake for each row of predictions."""
    hashes = record.store.rows(
        "SELECT cityHash64(arrayJoin({ids:Array(String)}), '') AS hash",
        {"ids": [row["prediction_id"] for row in made]},
    )
    return [
        arrival(
            row.get("sequence"),
            identity=one["hash"],
            at=row["event_time"],
            model=row["model"],
            producer_id=row.get("producer_id", ""),
            **more,
        )
        for row, one in zip(made, hashes, strict=True)
    ]


def _of_model(model: str) -> dict[str, list[dict[str, Any]]]:
    days = [MARCH + n * DAY for n in range(PREDICTIONS)]
    made = [
        prediction(
            f"{model}{number}" if number else HARD,
            at,
            model=model,
            producer_id=f"of {model}",
            sequence=number,
            numeric_features={"a": number / 3, "b": None, "c": float("nan"), "d": float("-inf")},
            categorical_features={HARD: HARD, "none": None},
            warnings=[HARD],
            retention_days=0,
        )
        for number, at in enumerate(days)
    ]
    told = [label(row["prediction_id"], row["event_time"] + 30 * DAY, model=model) for row in made]
    window = {"model": model, "environment": "production", "model_version": "1"}
    windows = [{**window, "window_start": at, "window_end": at + DAY} for at in days]
    return {
        "predictions": made,
        "labels": [*told, label(f"{model} of nothing", MARCH, model=model, kind="void", truth=None)],
        "outcomes": [_outcome(row) for row in made],
        "contracts": [{"model": model, "body": "{}", "digest": HARD, "environment": None}],
        "deployments": [{**window, "role": "champion", "valid_from": MARCH - DAY, "parameters": {HARD: "1"}}],
        "sketches": [
            *(
                {**one, "kind": "delta", "column": "a", "bins": [0.1, 2.0], "counts": [3, 4], "min": None}
                for one in windows
            ),
            {**window, "kind": "reference", "window_start": MARCH - 90 * DAY, "column": "a"},
            {**windows[0], "kind": "total", "up_to": {"x/0": 5}, "column_kind": "categorical"},
        ],
        "quality": [
            {
                **one,
                "confusion": [{"truth": HARD, "decision": "", "count": 3}],
                "score_histograms": [{"truth": "t", "bins": [1.0, 2.0], "counts": [2, 3]}],
                "coverage": None,
            }
            for one in windows
        ],
        "drift": [{**one, "tests": {"a": 1e-300}, "bins": [HARD], "psi": 0.1} for one in windows],
        "alerts": [{**one, "started_at": one["window_start"], "alert_id": HARD} for one in windows],
        "ledger": [ledger(PREDICTIONS, model=model, producer_id=f"of {model}", closing=True, dropped={})],
    }


def _outcome(row: dict[str, Any]) -> dict[str, Any]:
    kept = ("prediction_id", "model", "model_version", "environment", "event_time", "served")
    return {**{name: row[name] for name in kept}, "label_id": HARD, "kind": "truth", "truth_value": 0.1 + 0.2}
