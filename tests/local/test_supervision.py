"""Supervision without servers: backoff, histories, settings, health."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from supervisor.options import UnhosedConfigParser

from hindcast.local.directories import disk_full
from hindcast.local.layout import Layout, Record, read_record, write_record
from hindcast.local.program import Program
from hindcast.local.status import health, process_status, read_heartbeats
from hindcast.local.status_view import render_status
from hindcast.local.supervisor import History, ProcessState, histories
from hindcast.local.supervisor_settings import Watched, render_supervisor_settings
from producers.errors import ConfigError

LOG = """\
2026-11-21 09:48:16,401 INFO spawned: 'kafka' with pid 14413
2026-11-21 09:48:17,986 INFO success: kafka entered RUNNING state, process has stayed up for > than 1 seconds
2026-11-21 09:48:20,202 WARN exited: kafka (terminated by SIGKILL; not expected)
2026-11-21 09:48:21,210 INFO spawned: 'kafka' with pid 14541
2026-11-21 09:48:22,000 INFO exited: joiner (exit status 3; not expected)
"""
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def test_starts_and_exits_are_read_from_the_supervisors_log() -> None:
    """Each program's starts are counted; its last exit is told."""
    found = histories(LOG)
    assert (found["kafka"].starts, found["kafka"].last_exit) == (2, "terminated by SIGKILL")
    assert (found["joiner"].starts, found["joiner"].last_exit) == (0, "exit status 3")


def test_settings_survive_quotes_percents_and_spaces(tmp_path: Path) -> None:
    """Supervisord's own syntax never changes a command or a variable."""
    program = Program("p", ("/a b/c", "50%"), tmp_path / "p.log", {"PASSWORD": '%s"\\,x=1'})
    text = render_supervisor_settings(
        Layout(tmp_path), [Watched(program, 10, stop_within_s=5)], control_port=1, control_password="c"
    )
    parsed = configparser.RawConfigParser()
    parsed.read_string(text)
    section = parsed["program:p"]
    assert section["command"].endswith("'/a b/c' 50%%")
    assert section["environment"] == 'PASSWORD="%%s\\"\\\\,x=1"'
    assert section["autorestart"] == "true"
    assert "127.0.0.1:1" in parsed["inet_http_server"]["port"]


def test_a_blank_and_a_hash_begin_no_comment(tmp_path: Path) -> None:
    """Supervisord's own parser gives the command back, wherever Python or the jars lie."""
    command = ("/a #b/java", "c ;d", "it's #1", "#e", "f")
    text = render_supervisor_settings(
        Layout(tmp_path),
        [Watched(Program("p", command, tmp_path / "p.log"), 10, stop_within_s=5)],
        control_port=1,
        control_password="c",
    )
    parsed = UnhosedConfigParser()
    parsed.read_string(text)
    assert shlex.split(parsed["program:p"]["command"])[-len(command) :] == list(command)


def test_figures_of_an_earlier_run_are_left_out() -> None:
    """A heartbeat by another pid says nothing about this process, except the last error."""
    process = ProcessState("joiner", "running", 7, NOW)
    beat = {
        "role": "joiner",
        "pid": 6,
        "at": NOW.isoformat(),
        "events": 5,
        "lag": {"a-0": 1},
        "last_error": "oh",
    }
    seen = process_status(process, History(starts=3), beat, Path("x"), NOW)
    assert "lag" not in seen
    assert (seen["restarts"], seen["last_error"]) == (2, "oh")
    assert "no heartbeat" in health(seen, beats=True)
    assert process_status(process, History(), {**beat, "pid": 7}, Path("x"), NOW)["lag_total"] == 1


def test_a_clock_that_was_set_back_makes_no_age_negative() -> None:
    """A process that has said nothing since the clock was set back by an hour is not fresh for the next hour."""
    process = ProcessState("joiner", "running", 7, NOW + timedelta(hours=1))
    beat = {"role": "joiner", "pid": 7, "at": (NOW + timedelta(hours=1)).isoformat()}
    seen = process_status(process, History(), beat, Path("x"), NOW)
    assert (seen["uptime_s"], seen["heartbeat_age_s"]) == (0.0, 3600.0)
    assert "3600 s old" in health(seen, beats=True)


@pytest.mark.parametrize(("pid", "state"), [(7, "running"), (6, "starting")])
def test_what_beats_runs(pid: int, state: str) -> None:
    """Though supervisord says `starting` for some seconds, when `hindcast up --detach` has long waited for the heartbeat."""
    beat = {"role": "joiner", "pid": pid, "at": NOW.isoformat()}
    process = ProcessState("joiner", "starting", 7, NOW)
    assert process_status(process, History(), beat, Path("x"), NOW)["state"] == state


@pytest.mark.parametrize(
    ("state", "age", "beats", "problem"),
    [
        ("running", 1.0, True, ""),
        ("starting", 1.0, True, ""),
        ("running", 60.0, True, "60 s old"),
        ("running", None, True, "no heartbeat"),
        ("running", None, False, ""),
        ("backoff", 1.0, True, "is backoff"),
    ],
)
def test_health_wants_a_process_and_a_fresh_heartbeat(
    state: str, age: float | None, beats: bool, problem: str
) -> None:
    """A process that runs but says nothing is not healthy."""
    found = health({"name": "monitor", "state": state, "heartbeat_age_s": age}, beats=beats)
    assert (problem in found) if problem else (found == "")


def test_heartbeats_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    """Half a file, or somebody else's, does not break the status."""
    (tmp_path / "a.json").write_text('{"role": "joiner", "at": "2"}')
    (tmp_path / "b.json").write_text('{"role": "joiner", "at": "1"}')
    (tmp_path / "c.json").write_text('{"role": ')
    for number, other in enumerate(("[]", "null", '"joiner"', '{"other": 1}', '{"role": "joiner", "at": 5}')):
        (tmp_path / f"d{number}.json").write_text(other)
    (tmp_path / "e.json").write_bytes(b"\xff")
    assert read_heartbeats(tmp_path) == {"joiner": {"role": "joiner", "at": "2"}}


def test_the_fullest_disk_is_named(tmp_path: Path) -> None:
    """Kafka itself only ends where its disk is full; a directory that is away is not asked."""
    there = [tmp_path, tmp_path / "away"]
    assert disk_full(there, free_mib=0) == ""
    room = shutil.disk_usage(tmp_path).free // 2**20
    assert re.fullmatch(
        rf"disk full: {tmp_path} has \d+ MiB left, at least {2 * room + 1} MiB are needed",
        disk_full(there, free_mib=2 * room + 1),
    )
    assert disk_full([tmp_path / "away"], free_mib=2 * room + 1) == ""


def test_the_view_shows_lag_rates_restarts_and_errors() -> None:
    """What a person looks for is on the screen."""
    lines = [
        {"name": "kafka", "state": "running", "pid": 1, "uptime_s": 3700.0, "restarts": 2, "log": "k.log",
         "last_exit": "terminated by SIGKILL", "last_exit_at": "2026-11-21T09:48:20+00:00"},
        {"name": "joiner", "state": "backoff", "pid": None, "uptime_s": None, "restarts": 0, "log": "j.log",
         "last_exit": "", "last_exit_at": "", "last_error": "store away", "lag": {"labels-1": 12345, "labels-2": 0},
         "lag_total": 12345, "events_per_s": 1500.0, "paused": ["labels-2"], "heartbeat_age_s": 99.0},
    ]  # fmt: skip
    status = {"directory": "/d", "running": True, "kafka": "127.0.0.1:9", "clickhouse": "http://c",
              "topic_prefix": "hindcast", "database": "hindcast", "processes": lines,
              "disk_full": "disk full: /d has 3 MiB left"}  # fmt: skip
    console = Console(width=160, record=True, quiet=False, file=None)
    with console.capture() as capture:
        console.print(render_status(status))
    text = capture.get()
    for part in (
        "1h01m",
        "12,345",
        "labels-1",
        "1,500",
        "store away",
        "SIGKILL",
        "waits for the recorder: labels-2",
        "99 s",
        "! disk full: /d has 3 MiB left",
    ):
        assert part in text


def test_a_process_is_one_line_and_no_figure_is_cut() -> None:
    """With a million messages to read in each of four partitions, named with the topics' prefix as some clients do."""
    line = {"name": "clickhouse", "state": "running", "pid": 123456, "uptime_s": 100_000.0, "restarts": 10, "log": "r.log",
            "last_exit": "", "last_error": "", "events_per_s": 12_345.0, "paused": [], "heartbeat_age_s": 1.0,
            "lag": {f"hindcast.predictions-{one}": 1_000_000 + one for one in range(4)}, "lag_total": 4_000_006}  # fmt: skip
    status = {"directory": "/d", "running": True, "kafka": "127.0.0.1:9", "clickhouse": "http://c",
              "topic_prefix": "hindcast", "database": "hindcast", "disk_full": "", "processes": [line]}  # fmt: skip
    shown = ["clickhouse", "running", "123456", "1d03h", "10", "12,345", "4,000,006", "predictions-3"]
    for width, wanted in ((100, [[*shown, "1,000,003"], []]), (80, [shown, ["1,000,003"], []])):
        console = Console(width=width)
        with console.capture() as capture:
            console.print(render_status(status))
        lines = [line.split() for line in capture.get().splitlines()]
        assert lines[lines.index(wanted[0]) :][: len(wanted)] == wanted


def test_the_view_names_a_few_of_many_partitions() -> None:
    """A recorder whose store is away has paused every partition: the reason after them stays in sight."""
    line = {"name": "recorder", "state": "running", "pid": 1, "uptime_s": 1.0, "restarts": 0, "log": "r.log",
            "last_exit": "", "last_error": "store away", "lag": {}, "lag_total": 0, "events_per_s": 0.0,
            "paused": [f"labels-{one}" for one in range(44)], "heartbeat_age_s": 1.0}  # fmt: skip
    status = {"directory": "/d", "running": True, "kafka": "127.0.0.1:9", "clickhouse": "http://c",
              "topic_prefix": "hindcast", "database": "hindcast", "disk_full": "", "processes": [line]}  # fmt: skip
    console = Console(width=160)
    with console.capture() as capture:
        console.print(render_status(status))
    text = capture.get()
    assert "! recorder has paused labels-0, labels-1," in text
    assert "labels-7 and 36 more\n" in text
    assert "labels-8" not in text


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    """And an intact one is for its owner's eyes only."""
    layout = Layout(tmp_path)
    assert read_record(layout) is None
    record = Record("k", "c", "p", "a", "t", "d", 1, "x")
    write_record(layout, record)
    assert read_record(layout) == record
    assert layout.record.stat().st_mode & 0o077 == 0
    layout.record.write_text("{")
    with pytest.raises(ConfigError, match=r"stack\.json is damaged"):
        read_record(layout)
