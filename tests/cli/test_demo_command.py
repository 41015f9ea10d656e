"""`hindcast demo` given what it cannot use: one clear line before anything starts, and nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from hindcast.cli.demo import _afterwards, demo, refuse_unwritable, write_report
from hindcast.local.stack import LocalStack
from producers.errors import ConfigError

NOBODY = 65534
TOO_LONG = "x" * 300


def refused(*arguments: object) -> str:
    """Run a demo that must not begin; its line on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "hindcast", "demo", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("file", "file is not a directory"),
        ("file/below", "is not a directory"),
        (TOO_LONG, "File name too long"),
        (f"{TOO_LONG}/below", "File name too long"),
        ("~nobody-of-that-name/demo", "a user who is not known"),
    ],
)
def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path, place: str, said: str) -> None:
    """Whatever is wrong with the directory is one line."""
    (tmp_path / "file").write_text("mine")
    directory = place if place.startswith("~") else tmp_path / place
    line = refused("--directory", directory, "--report", tmp_path / "report.html")
    assert line.startswith("hindcast: ")
    assert line.count("\n") == 1
    assert said in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_directory_below_somebody_elses_is_named(tmp_path: Path) -> None:
    """One that cannot even be looked for."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    superuser = os.geteuid() == 0
    if superuser:
        os.seteuid(NOBODY)
    else:
        closed.chmod(0)
    try:
        with pytest.raises(ConfigError, match="may not be read and written by this user"):
            LocalStack(closed / "demo").clear()
    finally:
        if superuser:
            os.seteuid(0)
        closed.chmod(0o700)


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("", "Is a directory"),
        ("nowhere/report.html", "No such file or directory"),
        ("file/report.html", "Not a directory"),
        (TOO_LONG, "File name too long"),
        (f"{TOO_LONG}/report.html", "File name too long"),
    ],
)
def test_a_report_that_cannot_be_written_is_named_before_the_run(
    tmp_path: Path, place: str, why: str
) -> None:
    """An earlier demo is still there afterwards."""
    (tmp_path / "file").write_text("mine")
    earlier = tmp_path / "demo"
    earlier.mkdir()
    (earlier / "supervisor.lock").touch()
    line = refused("--directory", earlier, "--report", tmp_path / place)
    assert line == (
        f"hindcast: the report cannot be written to {tmp_path / place} ({why}): --report names another place\n"
    )
    assert (earlier / "supervisor.lock").exists()


def test_looking_whether_a_report_can_be_written_changes_nothing(tmp_path: Path) -> None:
    """Neither is a file left behind nor an earlier report lost."""
    refuse_unwritable(tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "report.html").write_text("earlier")
    refuse_unwritable(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == "earlier"


def test_a_disk_that_is_full_at_the_end_is_named() -> None:
    """What could be opened before the run need not take the page after it."""
    with pytest.raises(ConfigError, match=r"/dev/full \(No space left on device\)"):
        write_report(Path("/dev/full"), "page")


@pytest.mark.parametrize("day", ["2013-02-01", "2013-01-31", "1999-01-01"])
def test_a_demo_without_flights_is_refused(tmp_path: Path, day: str) -> None:
    """Predictions begin on 1 February: until then there is nothing to show."""
    said = refused("--until", day, "--directory", tmp_path / "demo")
    assert "Invalid value for '--until': predictions begin on 2013-02-01" in said
    assert not (tmp_path / "demo").exists()


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    """Before the models are trained."""
    assert "Invalid value for '--seed'" in refused("--seed", -1, "--directory", tmp_path / "demo")


def test_it_is_said_how_to_end_a_kept_demo() -> None:
    """In the help, and at the end with the directory that was chosen, ready to be pasted."""
    told = " ".join(CliRunner().invoke(demo, ["--help"]).output.split())
    assert "`hindcast down --directory .hindcast/demo` ends it" in told
    console = Console(width=20)
    with console.capture() as printed:
        for line in _afterwards(Path("a [bold] place"), running=True):
            console.print(line, soft_wrap=True)
    assert "  hindcast down --directory 'a [bold] place'\n" in printed.get()
    assert not any("hindcast down" in line for line in _afterwards(Path("place"), running=False))
