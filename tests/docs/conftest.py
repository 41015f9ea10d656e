"""One running stack for every example of every page."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet
import pytest
from reader import Reader

from hindcast.local.stack import LocalStack


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Somebody who has typed `hindcast up --detach` in a directory, and has training data there."""
    directory = tmp_path_factory.mktemp("reader")
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("HINDCAST_") or name == "HINDCAST_CACHE"
    }
    command = [sys.executable, "-m", "hindcast"]
    started = subprocess.run(
        [*command, "up", "--detach"],
        cwd=directory,
        env=plain,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    try:
        assert started.returncode == 0, started.stderr
        start = datetime(2026, 1, 1, tzinfo=UTC)
        training = {
            "scored_at": [start + timedelta(hours=n) for n in range(500)],
            "tenure_months": [float(n % 70) for n in range(500)],
            "plan": [("basic", "plus")[n % 2] for n in range(500)],
            "score": [n / 500 for n in range(500)],
            "churned": [n % 9 == 0 for n in range(500)],
        }
        pyarrow.parquet.write_table(pa.table(training), directory / "training.parquet")
        yield Reader(directory, {**plain, **LocalStack(directory / ".hindcast").environment()})
    finally:
        subprocess.run([*command, "down"], cwd=directory, env=plain, timeout=120, check=False)
