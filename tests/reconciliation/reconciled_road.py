"""Events of every kind, sent through a real profiler and recorder, and `hindcast reconcile` run over what they left."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from recording_road import Road
from waiting import eventually

from hindcast.__main__ import run
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish import publish

Record = dict[str, Any]

# an hour that no clock of the tests comes near to: all windows have long closed
BEGIN = (datetime.now(UTC) - timedelta(hours=30)).replace(minute=0, second=0, microsecond=0)


def contract(model: str, **more: Any) -> Contract:
    """Precisions, a list, a feature that never comes, slices by a feature, by a segment and by a pair."""
    return Contract.model_validate(
        {
            "model": model,
            "features": {
                "age": {"kind": "numeric", "precision": 7, "required": True},
                "never": {"kind": "numeric"},
                "plan": {"kind": "categorical", "values": ["gold", "tin", "unseen", "x" * 70]},
            },
            "slices": [
                {"by": "plan", "values": ["gold", "a&b"]},
                {"by": "region", "values": ["north"]},
                {"by": ["plan", "region"], "values": [["gold", "north"], ["tin", "south"]]},
            ],
            "windows": {"base": "1h", "rollups": ["1d"]},
            **more,
        }
    )


def event(model: str, number: int, **more: Any) -> Record:
    """A prediction of every kind of value, which depends on its number alone."""
    chance = random.Random(number)
    numeric: dict[str, float | None] = {
        "@odd": chance.choice([None, -0.0, 5e-324, 1e300, -7.25]),
        "age": chance.choice([chance.gauss(40, 10), math.nan, math.inf, -math.inf, None]),
    }
    if number % 3 == 0:
        del numeric["age"]
    categorical: dict[str, str | None] = {
        "plan": chance.choice(["gold", "tin", "a&b", None, "x" * 70]),
        "word": f"w{chance.randrange(1_300)}",
        "text": "é" * chance.choice([63, 64, 65, 200]) + str(chance.randrange(5)),
    }
    if number % 5 == 0:
        del categorical["plan"]
    return {
        "prediction_id": f"p{number}",
        "model": model,
        "model_version": chance.choice(["1", "2"]),
        "served": number % 7 > 0,
        "sampling_rate": chance.choice([1.0, 0.25]),
        "event_time": BEGIN + timedelta(seconds=chance.randrange(3 * 3600)),
        "numeric_features": numeric,
        "categorical_features": categorical,
        "segments": chance.choice([{}, {"region": "north"}, {"region": "south"}, {"plan": "gold"}]),
        "probabilities": chance.choice([{}, {"yes": chance.random()}]),
        "score": chance.choice([None, chance.random()]),
        "decision": chance.choice([None, "yes", "no"]),
        "latency_ms": chance.choice([None, chance.random() * 20]),
        "status": "error" if number % 50 == 0 else "ok",
        **more,
    }


@dataclass
class ReconciledRoad:
    """The road, and what a test asks of it."""

    road: Road

    def publish(self, wanted: Contract) -> None:
        """Publish a contract; it is in effect when this returns."""
        publish(self.road.kafka, wanted, lead=0.0)

    def send(self, records: Iterable[Record]) -> None:
        """Send predictions, their ids as keys, and wait until profiler and recorder have them all."""
        by_key: dict[str, list[Record]] = {}
        for record in records:
            by_key.setdefault(record["prediction_id"][-1], []).append(record)
        for key, some in by_key.items():
            self.road.send_records("predictions", "prediction", some, key=key)
        self.settled()

    def settled(self) -> None:
        """Return when everything on the topics is profiled and recorded."""
        ends = self.road.ends("predictions")

        def profiled() -> None:
            found = self.road.rows(
                "SELECT source_partition AS p, min(reached) AS next FROM (SELECT source_partition, _partition, max(next_offset) AS reached"
                " FROM stretches GROUP BY source_partition, _partition) GROUP BY p"
            )
            assert {row["p"]: row["next"] for row in found} == ends

        eventually(profiled, within=90, saying="every message is in a recorded stretch")
        self.road.recorded("predictions", "contracts")
        place = self.road.ends("sketches")

        def recorded() -> None:
            committed = self.road.committed("sketches")
            assert all(committed[partition] >= end for partition, end in place.items()), committed

        eventually(recorded, within=90, saying="sketches are recorded")

    def reconcile(self, model: str, *more: str) -> tuple[int, list[Record], Record]:
        """Run the command; its exit code, what differs, and the sum."""
        since = (BEGIN - timedelta(days=1)).isoformat()
        code, out, _ = self.told("--since", since, "--model", model, "--json", *more)
        *found, sums = map(json.loads, out.splitlines())
        return code, found, sums

    def told(self, *arguments: str) -> tuple[int, str, str]:
        """Run the command; its exit code, and what it writes to both streams."""
        out, err = StringIO(), StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name, value in self.road.environment.items():
                patch.setenv(name, value)
            code = run(["reconcile", *arguments])
        return code, out.getvalue(), err.getvalue()

    def events(self, model: str) -> int:
        """Events that the views count."""
        (row,) = self.road.store.rows(
            "SELECT toInt64(sum(events)) AS n FROM feature_windows WHERE model = {model:String} AND column = '@events' AND slice = ''",
            {"model": model},
        )
        return int(row["n"])
