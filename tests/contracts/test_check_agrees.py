"""What `hindcast contract check` says of recorded events is what the recorder wrote beside them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import yaml
from contract_command import run
from recording_road import Road, example

FEATURES = {
    "age": {"kind": "numeric", "required": True, "minimum": 0, "maximum": 120},
    "income": {"kind": "numeric", "pii": "bucket", "bucket": 10},
    "plan": {"kind": "categorical", "values": ["basic", "né'w"], "only_listed": True},
    "mail": {"kind": "categorical", "pii": "hash"},
    "phone": {"kind": "categorical", "pii": "drop", "required": True},
}
NUMBERS = [
    {"age": 20.0},
    {"age": None},
    {"age": 121.0, "income": 10.0},
    {"age": 0.0, "income": 11.0},
    {"plan": 1.0},
    {},
]
TEXTS = [
    {"plan": "basic"},
    {"plan": "né'w", "mail": "hmac:" + "0" * 32},
    {"plan": "other", "mail": "a@b"},
    {"age": "old", "phone": "1"},
    {"income": "much", "plan": None},
]


def test_check_and_recorder_agree(
    kafka: str, clickhouse: str, topic_prefix: str, database: str, tmp_path: Path
) -> None:
    """Every kind of problem, event for event: under the contract that was in effect, the counts of a check are those of `warnings`."""
    body = {"model": "m", "entity_id": "hash", "features": FEATURES}
    file = tmp_path / "m.yaml"
    file.write_text(yaml.safe_dump(body))
    now = datetime.now(UTC)
    records = [
        example(
            "prediction",
            prediction_id=f"p{n}-{t}",
            model="m",
            event_time=now,
            known_at=None,
            numeric_features=numbers,
            categorical_features=texts,
            status="error" if t == 4 else "ok",
            entity_id=(None, "plain", "hmac:" + "1" * 32)[n % 3],
        )
        for n, numbers in enumerate(NUMBERS)
        for t, texts in enumerate(TEXTS)
    ]
    with Road(kafka, clickhouse, topic_prefix, database, tmp_path) as road:
        environment = {
            name: value for name, value in road.environment.items() if name.startswith("HINDCAST_")
        }
        assert run("publish", file, **environment, HINDCAST_CONTRACT_LEAD="0.1").exit_code == 0
        road.send_records("predictions", "prediction", records)
        road.start()
        road.recorded("predictions")
        told = road.rows(
            "SELECT warning, count() AS n FROM predictions FINAL ARRAY JOIN arrayDistinct(warnings) AS warning GROUP BY warning"
        )
        assert road.count("predictions") == len(records)
        facts = json.loads(run("check", file, "--recent", "1h", "--json", **environment).output)
    written = {row["warning"]: row["n"] for row in told}
    checked = {f"{one['problem']}:{one['feature']}": one["events"] for one in facts["problems"]}
    assert checked == written
    assert {text.partition(":")[0] for text in checked} == {
        "missing",
        "range",
        "kind",
        "unlisted",
        "unprotected",
    }
    assert facts["events"] == len(records)
