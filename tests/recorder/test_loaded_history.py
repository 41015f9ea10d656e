"""A load that is killed again and again has each row in the record once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from recording_road import REPOSITORY, Road
from waiting import eventually

ROWS = 150_000
KILLS = 4


def history(path: Path) -> None:
    """A month of predictions without ids."""
    chance = np.random.default_rng(1)
    times = 1_748_736_000_000_000 + np.arange(ROWS) * 17_000_000
    columns = {f"x{number}": chance.normal(size=ROWS) for number in range(4)}
    table = {**columns, "p": np.arange(ROWS), "scored_at": pa.array(times, pa.timestamp("us", "UTC"))}
    pyarrow.parquet.write_table(pa.table(table), path)


def test_a_killed_load_goes_on_and_repeats_nothing(running: Road, tmp_path: Path) -> None:
    """However often it is killed (kill -9), the load that comes to its end has recorded every row, and each once."""
    history(tmp_path / "history.parquet")
    command = [
        *(sys.executable, "-m", "hindcast", "load", str(tmp_path / "history.parquet"), "--model", "killed"),
        *("--map", "event_time=scored_at", "--map", "score=p", "--features", "x0,x1,x2,x3"),
    ]
    environment = {**running.environment, "PYTHONPATH": str(REPOSITORY)}
    before = sum(running.ends("predictions").values())
    killed = 0
    for number in range(KILLS):
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as load:
            some = before + number * 20_000

            def arrived(load: subprocess.Popen[bytes] = load, some: int = some) -> bool:
                return sum(running.ends("predictions").values()) > some or load.poll() is not None

            eventually(arrived, within=60, saying="rows of this load arrive")
            killed += load.poll() is None
            load.kill()
    assert killed
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    sent = sum(running.ends("predictions").values()) - before
    assert sent >= ROWS
    running.recorded("predictions", within=120)
    assert running.rows(
        "SELECT count() AS n, uniqExact(score) AS scores, sum(score) AS total, min(backfilled) AS backfilled, "
        "min(known_at = event_time) AS known_then FROM predictions FINAL"
    ) == [{"n": ROWS, "scores": ROWS, "total": ROWS * (ROWS - 1) // 2, "backfilled": True, "known_then": 1}]
    (messages,) = running.rows("SELECT count() AS n FROM intake FINAL")
    assert messages["n"] == sent
