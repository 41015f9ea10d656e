"""Exports and imports that are interrupted or killed: told apart from finished ones, and done by the same command."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from moving import Hindcast
from recorded_rows import Recorder
from waiting import eventually

from hindcast.move import files

# as a child: pages of one row and files of one page, and a stop after a few files until somebody ends it
_SLOW = """
import sys, time
from pathlib import Path
from hindcast.__main__ import run
from hindcast.move import files, importing, reading
reading.FIRST_ROWS = reading.MOST_ROWS = 1
files.FILE_BYTES = 1
write, insert = files.TableWriter.write, importing.Import._insert
done = 0
def slowly(self, *given):
    global done
    done += 1
    if done > 12:
        Path(sys.argv[1]).touch()
        # not at once: a signal between the interpreter's last look and the system call would wait for its end
        for _ in range(1200):
            time.sleep(0.1)
    return (write if isinstance(self, files.TableWriter) else insert)(self, *given)
files.TableWriter.write = importing.Import._insert = slowly
sys.exit(run(sys.argv[2:]))
"""


def stopped_in_the_middle(
    record: Recorder, tmp_path: Path, how: signal.Signals, *arguments: str | Path, **variables: str
) -> tuple[int, str]:
    """A command in a process of its own, ended by a signal after twelve steps: its code, and what it said."""
    here = tmp_path / "in the middle"
    here.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "HINDCAST_CLICKHOUSE": record.store.settings.url,
        "HINDCAST_DATABASE": record.store.database,
        **variables,
    }
    command = [sys.executable, "-c", _SLOW, str(here), *map(str, arguments)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        try:
            eventually(lambda: here.exists() or running.poll() is not None, within=60, saying="in the middle")
            running.send_signal(how)
            _, said = running.communicate(timeout=60)
        finally:
            running.kill()
    return running.returncode, said


@pytest.mark.parametrize("command", ["export", "import"])
def test_an_interruption_is_told_on_a_line_of_its_own(
    source: Recorder, target: Recorder, whole: Path, tmp_path: Path, command: str
) -> None:
    """Behind the bars that a terminal gets, not at the end of one that is drawn anew."""
    record, directory = (source, tmp_path / "export") if command == "export" else (target, whole)
    terminal = {"FORCE_COLOR": "1"}
    code, said = stopped_in_the_middle(record, tmp_path, signal.SIGINT, command, directory, **terminal)
    assert code == 130
    assert "\x1b[" in said
    assert said.splitlines()[-1].removeprefix("\x1b[?25h").startswith("hindcast: interrupted; ")


def test_an_export_that_could_not_write_goes_on(
    source: Recorder, hindcast: Hindcast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit or a disk that takes no more is one line, of the file that it cut nothing is left, and with room the same command ends well."""
    monkeypatch.setattr(files, "FILE_BYTES", 1)
    directory = tmp_path / "export"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, before[1]))
    try:
        told = hindcast(source, "export", directory)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (told.code, told.line) == (1, "hindcast: cannot write the output: File too large")
    assert not list(directory.glob("*.part"))
    assert hindcast(source, "export", directory).code == 0
    assert hindcast(source, "verify", directory, "--against-record").code == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_export_that_was_ended_goes_on(
    source: Recorder, hindcast: Hindcast, tmp_path: Path, how: signal.Signals
) -> None:
    """Half of one is no export; what was written stays, and the whole is as if nothing had been."""
    directory = tmp_path / "export"
    code, said = stopped_in_the_middle(source, tmp_path, how, "export", directory, "--model", "m")
    assert code == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    assert not (directory / "manifest.json").exists()
    if how == signal.SIGINT:
        assert f"hindcast: interrupted; the same command goes on; {directory} is not finished" in said
        assert not list(directory.glob("*.part"))
    before = {path: path.stat().st_mtime_ns for path in directory.glob("*.parquet")}
    assert len(before) > 8
    assert "holds an export that is not finished" in hindcast(source, "verify", directory).line
    assert "holds an export that is not finished" in hindcast(source, "import", directory).line
    assert "an unfinished export of something else" in hindcast(source, "export", directory).line
    assert " of them before" in hindcast(source, "export", directory, "--model", "m").out
    assert {path: path.stat().st_mtime_ns for path in before} == before
    told = hindcast(source, "verify", directory, "--against-record", "--json")
    assert (told.code, told.facts["differences"]) == (0, [])
    assert {path.suffix for path in directory.iterdir()} == {".parquet", ".json"}


def test_an_import_that_was_killed_is_done_again(
    target: Recorder, hindcast: Hindcast, whole: Path, tmp_path: Path
) -> None:
    """Some rows are in; the same command brings the rest, and none twice."""
    stopped_in_the_middle(target, tmp_path, signal.SIGKILL, "import", whole)
    assert target.store.command("SELECT count() FROM contracts") > 0
    assert target.store.command("SELECT count() FROM dead_letters") == 0
    assert hindcast(target, "import", whole).code == 0
    assert hindcast(target, "verify", whole, "--against-record").code == 0


def test_one_export_at_a_time(source: Recorder, hindcast: Hindcast, tmp_path: Path) -> None:
    """Two into one directory would mix their files."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert "another process exports into" in hindcast(source, "export", tmp_path).line
    finally:
        os.close(descriptor)


def test_what_lies_in_a_directory_is_not_written_over(
    source: Recorder, hindcast: Hindcast, whole: Path, tmp_path: Path
) -> None:
    """A finished export, and somebody's files."""
    assert "holds a finished export" in hindcast(source, "export", whole).line
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    assert "is not empty: name a new directory" in hindcast(source, "export", tmp_path / "full").line
