"""`hindcast up`, `status` and `down` as a person or a script uses them, with the real processors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from left_running import processes_of
from waiting import eventually

from hindcast.local.stack import LocalStack
from hindcast.local.startup import ROLES, StackOptions


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


def test_a_stack_runs_in_a_directory_of_any_letters(tmp_path: Path) -> None:
    """Each server's data lie in it, also in a POSIX locale, and no processor stumbles over its name."""
    directory = tmp_path / "café 日 {a}$HOME"
    command = [sys.executable, "-m", "hindcast", "up", "--detach", "--directory", directory]
    stack = LocalStack(directory)
    try:
        subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, timeout=240, check=True)
        # Faust has read where it is
        eventually(
            lambda: lines(stack)["monitor"].get("positions", {}), within=60, saying="the monitor works"
        )
        killed = stack.kill("monitor")
        eventually(
            lambda: lines(stack)["monitor"]["pid"] != killed and lines(stack)["monitor"].get("positions", {}),
            within=60,
            saying="the monitor works again",
        )
        assert {line["restarts"] for line in lines(stack).values() if line["name"] != "monitor"} == {0}
    finally:
        stack.down()
    assert (directory / "kafka" / "data" / "meta.properties").is_file()
    assert (directory / "clickhouse" / "data" / "store").is_dir()
    assert list(tmp_path.iterdir()) == [directory]
    # also of the monitor that was killed nothing is left but the heartbeat
    assert [path.name for path in stack.layout.status.glob("*monitor*")] == ["monitor-0.json"]


def lines(stack: LocalStack) -> dict[str, dict[str, Any]]:
    """The status of each process."""
    return {line["name"]: line for line in stack.status()["processes"]}


def test_a_supervisor_that_does_not_answer_is_no_success(tmp_path: Path) -> None:
    """The status says so with the code of a server that does not answer."""
    stack = LocalStack(tmp_path)
    stack.up(StackOptions(processors={}, lay_road=lambda _: None))
    supervisor = int(stack.layout.supervisor_pid.read_text())
    os.kill(supervisor, signal.SIGSTOP)
    try:
        seen = hindcast("status", directory=tmp_path)
    finally:
        os.kill(supervisor, signal.SIGCONT)
        stack.down()
    assert (seen.returncode, "does not answer" in seen.stdout) == (3, True)


def test_ctrl_c_while_a_start_is_being_stopped_leaves_nothing_running(tmp_path: Path) -> None:
    """However often: what it says, that nothing is left running, is true when it says so."""
    command = [sys.executable, "-m", "hindcast", "up", "--detach", "--directory", tmp_path]
    starting = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        eventually(LocalStack(tmp_path).running, within=60, saying="the supervisor lives")
        eventually((tmp_path / "logs" / "kafka.log").exists, within=60, saying="Kafka begins")
        while starting.poll() is None:
            starting.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                starting.wait(0.3)
        assert not processes_of(tmp_path)
    finally:
        _, errors = starting.communicate(timeout=120)
        LocalStack(tmp_path).down()
    assert "nothing is left running" in errors
    assert starting.returncode == 130


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
