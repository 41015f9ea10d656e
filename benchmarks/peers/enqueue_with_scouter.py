"""What scouter's queue costs the caller: argument 1 names the broker, 2 the number of calls; prints one JSON object.

``call``: made as its documentation shows it, a `Features` of the request's dictionary, inserted. ``insert``: the same `Features` inserted again and
again, which no service does, and which is the enqueue alone. Its profile is PSI's, so what goes to Kafka are counts per bin, not events: no id, no
score, no entity.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from _serving import FEATURES, served
from scouter.drift import Drifter, PsiDriftConfig
from scouter.queue import Features, ScouterQueue
from scouter.transport import KafkaConfig


def profile(directory: Path) -> Path:
    """A baseline of the same features, as a file."""
    chance = np.random.default_rng(1)
    data = pl.DataFrame(
        {
            name: chance.normal(size=1_000)
            if isinstance(value, float)
            else chance.choice([f"value{n}" for n in range(10)], 1_000)
            for name, value in FEATURES.items()
        }
    )
    categorical = [name for name, value in FEATURES.items() if isinstance(value, str)]
    config = PsiDriftConfig(name="bench", space="bench", version="1.0.0", categorical_features=categorical)
    made: Path = (
        Drifter().create_drift_profile(data=data, config=config).save_to_json(directory / "profile.json")
    )
    return made


def main() -> None:
    """Two rounds of each; the better one counts."""
    broker, count = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as directory:
        queue = ScouterQueue.from_path(
            {"bench": profile(Path(directory))},
            KafkaConfig(brokers=broker, topic="scouter_bench"),
            wait_for_startup=True,
        )
    one = Features(FEATURES)
    time.sleep(0.5)
    found: dict[str, float] = {}
    for _ in range(2):
        for kind, call in {
            "call": lambda: queue["bench"].insert(Features(FEATURES)),
            "insert": lambda: queue["bench"].insert(one),
        }.items():
            calls, _ = served(call, count)
            for place in (50, 99):
                measured = float(np.percentile(calls, place)) / 1e3
                key = f"{kind}_p{place}_us"
                found[key] = min(found.get(key, measured), measured)
    queue.shutdown()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
