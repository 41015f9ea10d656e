"""The front door: one line for what goes wrong, an exit code that says what to do, and light to load."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from hindcast import cli
from hindcast.__main__ import exit_code, extra_of, run
from hindcast.cli import COMMANDS, hindcast
from hindcast.move.damage import DamagedExport
from producers.errors import BrokerUnavailable, ConfigError, HindcastError, InvalidEvent

ROOT = Path(__file__).parents[2]

_PROBE = '''"""Commands that end in every way."""
import sys
import click
import producers.errors as errors

@click.command()
@click.argument("how")
def probe(how):
    if how == "pipe":
        print("x" * 1_000_000)
    if how == "letters":
        print("Z\u00fcrich \u2026")
        how = "well"
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "file":
        print("before")
        open("/nowhere/file")
    if how == "network":
        raise ConnectionResetError(104, "nobody foresaw it")
    if how == "absent":
        import chdb.nothing_of_that_name
    if how == "code":
        click.get_current_context().exit(7)
    if how != "well":
        raise getattr(errors, how)("field", "a problem") if how == "InvalidEvent" else getattr(errors, how)("do this")
'''


@pytest.fixture
def probe(tmp_path: Path) -> dict[str, str]:
    """An environment in which the command `probe` exists."""
    (tmp_path / "probing.py").write_text(_PROBE)
    (tmp_path / "sitecustomize.py").write_text(
        'import hindcast.cli as cli\ncli.COMMANDS["probe"] = ("probing", "Probe.")\n'
    )
    return {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}


def ended(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m hindcast` with these arguments, run to its end."""
    command = [sys.executable, "-m", "hindcast", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("how", "code", "line"),
    [
        ("well", 0, ""),
        ("code", 7, ""),
        ("ConfigError", 2, "hindcast: do this\n"),
        ("BrokerUnavailable", 3, "hindcast: do this\n"),
        ("HindcastError", 1, "hindcast: do this\n"),
        ("InvalidEvent", 1, "hindcast: field: a problem\n"),
        ("absent", 2, "hindcast: this needs the package chdb: pip install 'hindcast[embedded]'\n"),
    ],
)
def test_each_end_has_its_code_and_line(probe: dict[str, str], how: str, code: int, line: str) -> None:
    """What goes wrong is one line on stderr, and the exit code says whose turn it is."""
    done = ended(probe, "probe", how)
    assert (done.returncode, done.stderr) == (code, line)


def test_an_interrupt_leaves_no_traceback(probe: dict[str, str]) -> None:
    """Ctrl-C ends with 130 and nothing but an empty line."""
    done = ended(probe, "probe", "interrupt")
    assert (done.returncode, done.stderr.strip()) == (130, "")


def test_a_reader_that_left_is_no_error(probe: dict[str, str]) -> None:
    """Output into a closed pipe ends quietly."""
    command = [sys.executable, "-m", "hindcast", "probe", "pipe"]
    with subprocess.Popen(command, env=probe, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == 1


def test_a_full_disk_is_one_line(probe: dict[str, str]) -> None:
    """Output that cannot be written is said to be that, and Python adds nothing at its end."""
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "hindcast", "probe", "pipe"]
        done = subprocess.run(command, env=probe, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "hindcast: disk full: the output cannot be written\n")


def test_an_output_that_cannot_be_written_is_one_line(probe: dict[str, str], tmp_path: Path) -> None:
    """A limit, a damaged disk or a server of files that went says why, and names no file."""
    line = f"ulimit -f 8; {sys.executable} -m hindcast probe pipe > {tmp_path / 'large'}"
    environment = {**probe, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        line, shell=True, env=environment, stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (1, "hindcast: cannot write the output: File too large\n")


def test_a_file_that_cannot_be_used_is_one_line(probe: dict[str, str]) -> None:
    """What was written before it stays; what names no file, and nobody foresaw, keeps its traceback."""
    done = ended(probe, "probe", "file")
    assert (done.returncode, done.stdout) == (1, "before\n")
    assert done.stderr == "hindcast: cannot use /nowhere/file: No such file or directory\n"
    assert "Traceback" in ended(probe, "probe", "network").stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_is_an_empty_one(probe: dict[str, str], closed: str) -> None:
    """A service manager may start a command without any of the three."""
    line = f"{sys.executable} -m hindcast query {closed}"
    done = subprocess.run(line, shell=True, env=probe, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_that_lacks_a_letter_gets_its_number(probe: dict[str, str]) -> None:
    """An ellipsis or a name does not end a command."""
    environment = {**probe, "PYTHONIOENCODING": "ascii"}
    done = ended(environment, "probe", "letters")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Z\\xfcrich \\u2026\n", "")


def test_without_click_one_line_says_what_to_install() -> None:
    """The console script of a light installation says which extra has the command line."""
    program = "import sys; sys.modules['click'] = None; from hindcast.__main__ import run; sys.exit(run(['--help']))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (
        2,
        "hindcast: this needs the package click: pip install 'hindcast[processors]'\n",
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nosuch", "No such command 'nosuch': see `hindcast --help`"),
        ("topics --nosuch", "--nosuch: see `hindcast topics --help`"),
        ("topics --partitions 0", "0 is not in the range 1<=x<=1000: see `hindcast topics --help`"),
        ("contract nosuch", "No such command 'nosuch': see `hindcast contract --help`"),
        ("contract infer x.csv", "Missing option '--model': see `hindcast contract infer --help`"),
        ("contract infer x.csv --model=", "'--model': String should have at least 1 character"),
        ("contract infer x.csv --model m --base-window 7min", "base must divide a day: from 1s to 1d"),
        ("contract infer x.csv --model m --base-window soon", "a duration such as 30s, 5min"),
        ("contract infer nowhere.csv --model m --output /tmp/never", "nowhere.csv: No such file"),
        ("dead-letters list --limit -1", "-1 is not in the range"),
        ("dead-letters list --offset 99999999999999999999", "is not in the range"),
        ("query volume -p model", "--param wants NAME=VALUE, not 'model'"),
        ("verify nowhere", "nowhere is no directory"),
        ("import nowhere", "nowhere is no directory"),
        ("sql \udcff", "the argument '\\udcff' is not UTF-8 text"),
    ],
)
def test_wrong_use_is_one_line(capsys: pytest.CaptureFixture[str], line: str, told: str) -> None:
    """It names what is wrong and where the right use is told, and ends with 2."""
    assert run(line.split(" ")) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("hindcast: ")
    assert told in said.err
    assert said.err.count("\n") == 1


def test_a_group_without_a_command_shows_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever types half a command is helped."""
    assert run(["contract"]) in (0, 2)
    said = capsys.readouterr()
    assert "publish" in said.out + said.err


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_command(capsys: pytest.CaptureFixture[str], option: str) -> None:
    """The help names every command, without loading any."""
    assert run([option]) == 0
    assert set(COMMANDS) <= set(capsys.readouterr().out.split())


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` is one line."""
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"hindcast {cli.version()}\n"


def test_help_loads_no_heavy_package() -> None:
    """`hindcast --help` loads neither a client of Kafka or ClickHouse, nor numpy, nor rich."""
    program = (
        "import sys; from hindcast.__main__ import run; run(['--help'])\n"
        "print([m for m in ('confluent_kafka', 'clickhouse_connect', 'numpy', 'pyarrow', 'faust', 'rich') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there(name: str) -> None:
    """Each command of the table loads, and is a command of that name with a help text."""
    command = hindcast.get_command(click.Context(hindcast), name)
    assert command is not None
    assert command.name == name
    assert command.help
    assert importlib.import_module(COMMANDS[name][0])


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("yaml", "processors"),
        ("clickhouse_connect", "processors"),
        ("sklearn", "demo"),
        ("nosuch", "processors"),
    ],
)
def test_extra_of_a_module(module: str, extra: str) -> None:
    """A missing module is traced to the extra that brings it."""
    assert extra_of(module) == extra


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError(""), 2),
        (DamagedExport(""), 4),
        (BrokerUnavailable(""), 3),
        (InvalidEvent("f", "p"), 1),
        (HindcastError(""), 1),
    ],
)
def test_exit_code(error: HindcastError, code: int) -> None:
    """The class of an error decides the exit code."""
    assert exit_code(error) == code
