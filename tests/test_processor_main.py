"""What a processor says to whoever starts it by hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import eventually

from producers.errors import ConfigError
from stream_processors.settings import ProcessorSettings

ROLES = ("profiler", "recorder", "joiner", "monitor")
ROOT = Path(__file__).resolve().parents[1]


def started(role: str, log: Path, **variables: str) -> subprocess.Popen[bytes]:
    """A processor whose standard error goes to a file."""
    with log.open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", f"stream_processors.{role}"],
            env={**os.environ, **variables},
            cwd=ROOT,
            stderr=said,
        )


@pytest.mark.parametrize("role", ROLES)
def test_servers_that_are_away_are_said_once_each(role: str, tmp_path: Path) -> None:
    """It waits for Kafka, says in one line for which address, repeats nothing, and still ends when asked to."""
    log = tmp_path / "said"
    process = started(role, log, HINDCAST_KAFKA="127.0.0.1:1", HINDCAST_CLICKHOUSE="http://127.0.0.1:1")
    try:
        eventually(lambda: "no Kafka answers at 127.0.0.1:1" in log.read_text(), within=40)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
    lines = log.read_text().splitlines()
    assert all(f"WARNING hindcast.{role}: " in line for line in lines), lines
    assert sum("Kafka" in line for line in lines) == 1
    assert sum("ClickHouse" in line for line in lines) <= 1


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HINDCAST_BATCH_MESSAGES", "1000001", "at most 1,000,000 is wanted"),
        ("HINDCAST_BATCH_BYTES", "1e30", "at most 1,000,000,000 is wanted"),
        ("HINDCAST_FLUSH_INTERVAL", "61", "at most 60 is wanted"),
        ("HINDCAST_FLUSH_INTERVAL", "1e300", "at most 60 is wanted"),
        ("HINDCAST_QUALITY_INTERVAL", "86401", "at most 86,400 is wanted"),
        ("HINDCAST_CONTRACT_LEAD", "1e13", "at most 31,536,000 is wanted"),
        ("HINDCAST_ALLOWED_LATENESS", "1e13", "at most 31,536,000 is wanted"),
        ("HINDCAST_BATCH_MESSAGES", "99", "at least 100 is wanted"),
    ],
)
def test_a_number_that_is_too_large_is_refused(variable: str, value: str, said: str) -> None:
    """Where no client, clock or memory takes it: not at the first batch, but at the start."""
    with pytest.raises(ConfigError) as refusal:
        ProcessorSettings.from_environment({variable: value})
    assert str(refusal.value) == f"{variable} is {value}: {said}"


@pytest.mark.parametrize("role", ROLES)
def test_a_setting_that_cannot_be_is_one_line(role: str, tmp_path: Path) -> None:
    """It ends at once with exit code 2 and names the variable."""
    log = tmp_path / "said"
    process = started(role, log, HINDCAST_FLUSH_INTERVAL="soon")
    assert process.wait(40) == 2
    assert log.read_text().splitlines() == [f"{role}: HINDCAST_FLUSH_INTERVAL is 'soon': a number is wanted"]


@pytest.mark.parametrize("role", ROLES)
def test_a_registry_that_is_no_url_is_refused_at_the_start(role: str, tmp_path: Path) -> None:
    """Before any server is asked for, and the text, which may hold a password, is not repeated."""
    log = tmp_path / "said"
    process = started(role, log, HINDCAST_SCHEMA_REGISTRY="user:secret@nourl")
    assert process.wait(40) == 2
    assert log.read_text().splitlines() == [f"{role}: HINDCAST_SCHEMA_REGISTRY: http://host:port is wanted"]


# as a child: what stays out of a process is not for a test's own
_ARRAYS = """
import sys
import pyarrow as pa
from stream_processors.processor_main import processor_main
def run(settings, stop):
    assert pa.array([1.5, None]).to_pylist() == [1.5, None]
    assert pa.Table.from_pylist([{"a": "b"}]).num_rows == 1
    print("pandas" in sys.modules)
sys.exit(processor_main("profiler", run))
"""


def test_no_processor_imports_pandas() -> None:
    """Arrays are made without it, although it is installed here."""
    done = subprocess.run([sys.executable, "-c", _ARRAYS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")
