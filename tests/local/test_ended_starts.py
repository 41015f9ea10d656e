"""`hindcast down` while a stack starts: the start ends, whatever it has come to, and nothing is left running."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from left_running import processes_of
from waiting import eventually

from hindcast.local.layout import Layout, Record, told, write_record
from hindcast.local.only_starter import is_starting, only_starter
from hindcast.local.stack import LocalStack
from hindcast.local.startup import StackOptions
from hindcast.local.supervisor import is_held
from producers.errors import ConfigError, HindcastError

MOMENTS: dict[str, Callable[[Layout], bool]] = {
    "when the directory is taken": is_starting,
    "when the supervisor lives": lambda layout: is_held(layout.lock),
    "when Kafka begins": lambda layout: layout.log("kafka").exists(),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_down_ends_a_start(tmp_path: Path, moment: str) -> None:
    """`down` returns when nothing runs; the start says in one line what became of it."""
    layout = Layout(tmp_path)
    command = [sys.executable, "-m", "hindcast"]
    starting = subprocess.Popen(
        [*command, "up", "--detach", "--directory", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: MOMENTS[moment](layout), within=60, saying=moment)
        ended = subprocess.run(
            [*command, "down", "--directory", tmp_path],
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
    finally:
        _, errors = starting.communicate(timeout=150)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "stopped\n", "")
    assert (starting.returncode, errors.count("\n")) == (1, 1), errors
    assert "was ended from elsewhere" in errors
    assert not processes_of(tmp_path)
    assert not layout.end_request.exists()


def test_a_supervisor_that_takes_no_orders_yet_is_waited_for(tmp_path: Path) -> None:
    """Between its first breath and its process id's file a supervisor holds the lock alone: `down` asks again."""
    layout = Layout(tmp_path)
    write_record(layout, Record("k", "c", "p", "a", "t", "d", 1, "x"))
    program = (
        "import fcntl, sys\nheld = open(sys.argv[1], 'w')\nfcntl.flock(held, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\nsys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, layout.lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    down = subprocess.Popen(
        [sys.executable, "-m", "hindcast", "down", "--directory", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with pytest.raises(subprocess.TimeoutExpired):
        down.wait(3)
    holder.communicate(timeout=10)
    output, errors = down.communicate(timeout=30)
    assert (down.returncode, output, errors) == (0, "stopped\n", "")


def test_a_request_that_was_left_behind_ends_nothing(tmp_path: Path) -> None:
    """A `down` that was killed while it waited does not end the next start."""
    stack = LocalStack(tmp_path)
    stack.layout.end_request.touch()
    stack.up(StackOptions(processors={}, lay_road=lambda _: None))
    assert stack.down()


def test_what_fails_by_itself_is_not_blamed_on_down(tmp_path: Path) -> None:
    """Only a start that somebody asked to end says so."""

    def fail(_: object) -> None:
        raise ConfigError("no road")

    def be_ended(_: object) -> None:
        LocalStack(tmp_path).layout.end_request.touch()
        raise ConfigError("no road")

    with pytest.raises(ConfigError, match="no road"):
        LocalStack(tmp_path).up(StackOptions(processors={}, lay_road=fail))
    with pytest.raises(HindcastError, match="ended from elsewhere"):
        LocalStack(tmp_path).up(StackOptions(processors={}, lay_road=be_ended))


def test_a_start_is_seen_by_others_and_ends_with_its_process(tmp_path: Path) -> None:
    """Whoever holds the directory starts; a directory without a stack's mark has no start."""
    layout = Layout(tmp_path / "s")
    assert not is_starting(layout)
    layout.directory.mkdir()
    layout.lock.touch()
    assert not is_starting(layout)
    with only_starter(layout.directory):
        assert is_starting(layout)
        with pytest.raises(ConfigError, match="another process starts"), only_starter(layout.directory):
            pass
        layout.lock.unlink()
        assert not is_starting(layout)
    assert not is_starting(layout)


def test_looking_for_a_start_does_not_disturb_one(tmp_path: Path) -> None:
    """The moment for which a look holds the directory is waited for."""
    look = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(look, fcntl.LOCK_SH)
    end_of_look = threading.Timer(0.1, os.close, [look])
    end_of_look.start()
    with only_starter(tmp_path):
        end_of_look.join()


@pytest.mark.parametrize(
    ("directory", "line"),
    [
        (Path(".hindcast"), "hindcast down"),
        (Path(".hindcast").absolute(), "hindcast down"),
        (Path("a b"), "hindcast down --directory 'a b'"),
    ],
)
def test_what_to_type_names_a_directory_that_is_not_the_usual_one(directory: Path, line: str) -> None:
    """Whoever reads it can paste it."""
    assert told("down", directory) == line
