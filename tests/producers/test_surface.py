"""The public surface of `producers`, and what loading it costs a service."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import producers

ROOT = Path(__file__).parents[2]


def test_the_public_surface() -> None:
    """These names, and no others, are promised."""
    assert producers.__all__ == [
        "BrokerUnavailable",
        "ConfigError",
        "ContractError",
        "HindcastError",
        "InvalidEvent",
        "KafkaSettings",
        "Logged",
        "PredictionLogger",
        "Stats",
        "StoreUnavailable",
        "TransientError",
        "Undecodable",
        "UnknownSchema",
    ]
    assert dir(producers) == producers.__all__
    assert all(getattr(producers, name).__name__ == name for name in producers.__all__)
    with pytest.raises(AttributeError, match="nosuch"):
        _ = producers.nosuch


@pytest.mark.parametrize(
    ("statement", "light_of"),
    [
        ("import producers", ["confluent_kafka", "numpy", "pyarrow", "fastavro", "uuid_utils"]),
        (
            "from producers import PredictionLogger",
            ["confluent_kafka", "numpy", "pyarrow", "pandas", "urllib.request"],
        ),
        (
            "from producers import PredictionLogger; PredictionLogger(model='m')",
            ["confluent_kafka", "numpy", "pyarrow", "pandas"],
        ),
        ("from producers.spool import Spool", ["confluent_kafka", "numpy", "pyarrow", "fastavro"]),
    ],
)
def test_loading_is_light(statement: str, light_of: list[str]) -> None:
    """A fresh interpreter that imports the producers has loaded no Kafka client and no numpy."""
    program = f"import sys; {statement}; print([m for m in {light_of!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
