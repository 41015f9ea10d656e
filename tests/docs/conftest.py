"""One running stack for every example of every page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet
import pytest
from markdown_pages import Block, page
from reader import Reader
from waiting import eventually

from hindcast.local.stack import LocalStack


@pytest.fixture(scope="session")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
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


@pytest.fixture(scope="session")
def readme(newcomer: Reader) -> dict[Block, str]:
    """What each block of the README printed, once the record has its event and label."""
    printed = {block: newcomer.run(block) for block in page("README.md").blocks}
    answer = ("query", "entity_history", "--param", "model=churn", "--param", "entity=customer-17", "--json")
    eventually(lambda: json.loads(newcomer.hindcast(*answer)), within=60, saying="the event is in the record")
    eventually(
        lambda: json.loads(newcomer.hindcast(*answer))[0]["truth"] == "leave",
        within=60,
        saying="the label is in the record",
    )
    return printed


@pytest.fixture
def reader(newcomer: Reader, readme: dict[Block, str]) -> Reader:
    """The same once they have read the README: pages may ask for what it has logged, whichever is read next."""
    return newcomer
