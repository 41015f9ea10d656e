"""The monitor as a process: how it starts, ends and complains."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from monitor_road import MonitorProcess, Road
from waiting import eventually


def test_sigterm_ends_it_cleanly_within_two_seconds(road: Road) -> None:
    """Asked to stop, it stops, with exit code 0, and leaves no file of Faust's behind."""
    with MonitorProcess(road) as monitor:
        eventually(lambda: len(road.heartbeat().get("positions", ())) == 2, within=30)
        asked = time.monotonic()
        monitor.process.send_signal(signal.SIGTERM)
        _, complaints = monitor.process.communicate(timeout=10)
        took = time.monotonic() - asked
    assert monitor.process.returncode == 0, complaints
    assert took < 2.0
    assert road.settings.status_dir is not None
    left = {path.name for path in road.settings.status_dir.iterdir()}
    assert left - {"recorder-0.json", "recorder-0.tmp"} == {"monitor-0.json"}


def test_a_wrong_setting_is_one_line_and_exit_code_two(tmp_path: Path) -> None:
    """A person learns which property to mend; no traceback."""
    properties = tmp_path / "kafka.properties"
    properties.write_text("security.protocol=tls\n")
    environment = {**os.environ, "HINDCAST_ALLOWED_LATENESS": "soon"}
    done = subprocess.run(
        [sys.executable, "-m", "stream_processors.monitor"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "monitor: HINDCAST_ALLOWED_LATENESS is 'soon': a number is wanted\n"


def test_without_servers_it_waits_and_says_so(tmp_path: Path) -> None:
    """A broker that is away is no reason to die: the heartbeat says what is missing, and a signal still ends it."""
    environment = {
        **os.environ,
        "HINDCAST_KAFKA": "127.0.0.1:1",
        "HINDCAST_CLICKHOUSE": "http://127.0.0.1:1",
        "HINDCAST_STATUS_DIR": str(tmp_path),
    }
    command = [sys.executable, "-m", "stream_processors.monitor"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        heart = tmp_path / "monitor-0.json"
        eventually(
            lambda: heart.exists() and "no Kafka answers" in json.loads(heart.read_text())["last_error"],
            within=60,
        )
        assert process.poll() is None
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0
