"""`hindcast up`, `status` and `down` as a person or a script uses them, with the real processors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from left_running import processes_of

from hindcast.local.stack import LocalStack
from hindcast.local.startup import ROLES


def hindcast(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """One command, run to its end."""
    command = [sys.executable, "-m", "hindcast", *arguments, "--directory", str(directory)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def test_up_status_and_down(tmp_path: Path) -> None:
    """Detached: healthy when the command returns; the status names everything; down leaves nothing but data."""
    nothing = hindcast("status", directory=tmp_path)
    assert nothing.returncode == 3
    assert "nothing runs" in nothing.stdout
    assert json.loads(hindcast("status", "--json", directory=tmp_path).stdout)["running"] is False
    started = hindcast("up", "--detach", "--topic-prefix", "of.mine", directory=tmp_path)
    try:
        assert started.returncode == 0, started.stderr
        # The command has waited for a heartbeat of each of them.
        seen = json.loads(hindcast("status", "--json", directory=tmp_path).stdout)
        lines = {line["name"]: line for line in seen["processes"]}
        assert set(lines) == {"kafka", "clickhouse", *ROLES}
        for role in ROLES:
            assert {"lag", "lag_total", "events_per_s", "last_error", "restarts"} <= set(lines[role]), lines[
                role
            ]
        exported = hindcast("status", "--env", directory=tmp_path).stdout
        assert f"export HINDCAST_KAFKA={seen['kafka']}\n" in exported
        assert "export HINDCAST_TOPIC_PREFIX=of.mine\n" in exported
    finally:
        ended = hindcast("down", directory=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "stopped\n")
    assert not processes_of(tmp_path)
    assert hindcast("down", directory=tmp_path).stdout.startswith("nothing runs")


def test_up_in_the_foreground_ends_with_ctrl_c(tmp_path: Path) -> None:
    """Ctrl-C stops everything and is no failure; until then the command stays."""
    command = [sys.executable, "-m", "hindcast", "up", "--directory", str(tmp_path)]
    foreground = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert foreground.stdout is not None
        assert any(line.startswith("everything runs") for line in foreground.stdout)
        LocalStack(tmp_path).wait_until_healthy(within=60)
        assert foreground.poll() is None
    finally:
        os.kill(foreground.pid, signal.SIGINT)
        output, errors = foreground.communicate(timeout=120)
    assert foreground.returncode == 0, errors
    assert "stopped; the data stay in" in " ".join(output.split())
    assert not processes_of(tmp_path)
