"""The door as a process: crashes, stops, and directories it cannot have."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from http_answers import ask
from waiting import eventually

from hindcast.local.clickhouse import pings, prepare_clickhouse
from hindcast.local.program import Running
from producers.errors import ConfigError


def started(directory: Path) -> tuple[str, Running]:
    """A door on this directory, answering."""
    url, program = prepare_clickhouse(directory)
    running = Running(program)
    running.wait_until(lambda: pings(url), within=60)
    return url, running


def _more_than(rows: list[int], count: int) -> bool:
    return len(rows) > count


def test_acknowledged_rows_survive_kill_9(door_directory: Path) -> None:
    """Killed in the middle of inserts, again and again: every acknowledged row is there after reopening, once."""
    url, running = started(door_directory)
    ask(url, "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    acknowledged: list[int] = []
    try:
        for life in range(3):
            dead = threading.Event()

            def write(life: int = life, dead: threading.Event = dead, url: str = url) -> None:
                for batch in range(10_000):
                    rows = [life * 10_000_000 + batch * 100 + i for i in range(100)]
                    try:
                        answer = ask(url, "\n".join(map(str, rows)), query="INSERT INTO t FORMAT TSV")
                    except OSError:
                        dead.set()
                        return
                    assert answer.status == 200
                    acknowledged.extend(rows)

            before = len(acknowledged)
            writer = threading.Thread(target=write)
            writer.start()
            eventually(partial(_more_than, acknowledged, before + 1000), saying="rows are acknowledged")
            running.kill()
            writer.join(timeout=30)
            assert dead.is_set()
            url, running = started(door_directory)
            stored = list(map(int, ask(url, "SELECT a FROM t ORDER BY a").text.split()))
            assert len(stored) == len(set(stored))
            assert set(acknowledged) <= set(stored)
            # Rows of the insert that was cut off may be there too: its whole batch or nothing of it.
            assert len(set(stored) - set(acknowledged)) % 100 == 0
    finally:
        running.stop()


def test_it_stops_soon_though_a_query_runs(door_directory: Path) -> None:
    """SIGTERM cancels what runs and closes the directory cleanly."""
    url, running = started(door_directory)
    slow = "SELECT sum(sleepEachRow(0.2)) FROM numbers(300) SETTINGS max_block_size = 1"
    outcome = []
    asking = threading.Thread(target=lambda: outcome.append(ask(url, slow)))
    asking.start()
    busy = "SELECT count() FROM system.processes WHERE query LIKE '%sleepEachRow%'"
    eventually(lambda: ask(url, busy).text == "2\n", saying="the slow query and this one run")
    begun = time.monotonic()
    running.stop()
    asking.join(timeout=10)
    assert time.monotonic() - begun < 15
    assert outcome[0].headers["x-clickhouse-exception-code"] == "394"
    url, running = started(door_directory)
    running.stop()


def test_a_directory_has_one_door(door_directory: Path) -> None:
    """A second door on the same directory says so in one line and ends."""
    _, running = started(door_directory)
    try:
        second = subprocess.run(
            [
                sys.executable,
                "-m",
                "hindcast.local.clickhouse_door",
                "--directory",
                str(door_directory),
                "--port",
                "1025",
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode == 1
        assert len(second.stderr.splitlines()) == 1
        url, program = prepare_clickhouse(door_directory)
        with pytest.raises(ConfigError, match="another process already serves"):
            Running(program).wait_until(lambda: pings(url), within=60)
    finally:
        running.stop()


def test_bodies_of_a_killed_door_are_swept_up(door_directory: Path) -> None:
    """What a crash left of an insert's body does not fill the disk."""
    left = door_directory / "incoming" / "body-left"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x")
    _, running = started(door_directory)
    running.stop()
    assert not left.exists()
