"""After `hindcast up` every command finds the stack by itself, and the environment goes before it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import eventually

from hindcast.cli.servers import CLICKHOUSE, KAFKA, variables
from hindcast.local.layout import Layout, Record, write_record
from hindcast.local.stack import LocalStack
from hindcast.local.startup import StackOptions

CONTRACT = "model: shop\nfeatures:\n  amount: {kind: numeric}\n"
PLAIN = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("HINDCAST_") or name == "HINDCAST_CACHE"
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory with a running stack, without processors, in `.hindcast`."""
    directory = tmp_path_factory.mktemp("home")
    (directory / "shop.yaml").write_text(CONTRACT)
    stack = LocalStack(directory / ".hindcast")
    stack.up(StackOptions(topic_prefix="mine", database="of_mine", processors={}))
    yield directory
    stack.down()


def said(home: Path, *arguments: str, **environment: str) -> str:
    """What a command that must succeed prints there."""
    done = subprocess.run(
        [sys.executable, "-m", "hindcast", *arguments],
        cwd=home,
        env={**PLAIN, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("topics", "every topic is there\n"),
        ("migrate", "up to date; views and functions made anew\n"),
        ("resume", "no partition waits\n"),
        ("dead-letters list", "no dead letters\n"),
        ("dead-letters replay", "nothing to send back\n"),
        ("spool replay --spool .", "replayed 0 messages of 0 segments\n"),
        ("contract history nobody --json", "[]\n"),
        ("sql SELECT(currentDatabase()) --format csv", "currentDatabase()\nof_mine\n"),
        ("query integrity --json", "[]\n"),
    ],
)
def test_a_command_finds_the_stack(home: Path, line: str, answer: str) -> None:
    """Without any variable, from the directory in which `hindcast up` was typed."""
    # a coordinator of groups that nobody has asked yet may need another moment
    eventually(lambda: said(home, *line.split()) == answer, within=60, saying=line)


def test_a_contract_is_published_to_the_stack(home: Path) -> None:
    """And is in effect after the second that the stack asks for."""
    assert "in effect" in said(home, "contract", "publish", "shop.yaml")
    assert said(home, "contract", "show", "shop").startswith("model: shop\n")


def test_the_environment_goes_before_the_stack(home: Path) -> None:
    """Another prefix on the same Kafka: what is not there is created there."""
    assert "created theirs.predictions" in said(home, "topics", HINDCAST_TOPIC_PREFIX="theirs")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """The directory of a stack of which a supervisor says that it runs."""
    layout = Layout(tmp_path)
    write_record(layout, Record("k:1", "http://c:2", "p", "a", "prefix", "base", 1, "x"))
    with layout.lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield tmp_path


@pytest.mark.parametrize("name", [*KAFKA, *CLICKHOUSE])
def test_a_named_server_keeps_the_stack_away(running: Path, name: str) -> None:
    """A command that needs a server of the environment takes nothing from the stack, so that two installations never mix."""
    given = {name: "somewhere", "PATH": "p"}
    assert variables(given, (*KAFKA, *CLICKHOUSE), directory=running) == given


def test_what_names_no_server_of_the_command_goes_beside_the_stack(running: Path) -> None:
    """A Kafka of the environment does not hide the stack's ClickHouse from `query`; empty variables are none."""
    given = {"HINDCAST_KAFKA": "elsewhere", "HINDCAST_DATABASE": "mine", "HINDCAST_CLICKHOUSE": ""}
    found = variables(given, CLICKHOUSE, directory=running)
    assert (found["HINDCAST_CLICKHOUSE"], found["HINDCAST_DATABASE"]) == ("http://c:2", "mine")
    assert variables({"HINDCAST_KAFKA": ""}, KAFKA, directory=running)["HINDCAST_KAFKA"] == "k:1"


def test_a_stack_that_has_ended_is_not_found(tmp_path: Path) -> None:
    """Its addresses lead nowhere: the defaults hold, which are said where nobody answers."""
    write_record(Layout(tmp_path), Record("k", "c", "p", "a", "t", "d", 1, "x"))
    assert variables({}, KAFKA, directory=tmp_path) == {}
    assert variables({}, KAFKA, directory=tmp_path / "nowhere") == {}
