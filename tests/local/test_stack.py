"""The local stack: started, looked at, hurt and stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from left_running import processes_of
from waiting import eventually

from hindcast.local.clickhouse import pings
from hindcast.local.kafka import answers
from hindcast.local.ports import is_free
from hindcast.local.stack import LocalStack
from hindcast.local.startup import ROLES, StackOptions
from producers.errors import ConfigError

HEART = str(Path(__file__).with_name("heart.py"))
PROCESSORS = {role: (sys.executable, HEART, role) for role in ROLES}
OPTIONS = StackOptions(topic_prefix="mine", database="of_mine", processors=PROCESSORS)


def no_road(variables: Mapping[str, str]) -> None:
    """Leave the servers empty."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A running stack whose processors only beat."""
    stack = LocalStack(tmp_path_factory.mktemp("stack"))
    stack.up(OPTIONS)
    yield stack
    stack.down()
    assert not processes_of(stack.layout.directory)


def line(stack: LocalStack, name: str) -> dict[str, object]:
    """One process's line of the status."""
    lines: dict[str, dict[str, object]] = {found["name"]: found for found in stack.status()["processes"]}
    return lines[name]


def test_everything_runs_and_is_found_through_the_directory(stack: LocalStack) -> None:
    """Another process that knows the directory finds the servers, topics' prefix and database."""
    found = LocalStack(stack.layout.directory).environment()
    assert answers(found["HINDCAST_KAFKA"])
    assert pings(found["HINDCAST_CLICKHOUSE"])
    assert (found["HINDCAST_TOPIC_PREFIX"], found["HINDCAST_DATABASE"]) == ("mine", "of_mine")
    assert [found["name"] for found in stack.status()["processes"]] == ["kafka", "clickhouse", *ROLES]


def test_the_status_shows_what_processors_say(stack: LocalStack) -> None:
    """Lag per partition, events and uptime come from the heartbeat and the supervisor."""
    seen = line(stack, "profiler")
    assert (seen["lag"], seen["lag_total"]) == ({"t-0": 3, "t-1": 4}, 7)
    assert seen["pid"] == stack.pid("profiler")
    assert isinstance(seen["events"], int)
    assert seen["events"] > 0


def test_topics_and_tables_are_there(stack: LocalStack) -> None:
    """The road is laid before the processors start."""
    import clickhouse_connect
    from confluent_kafka.admin import AdminClient

    found = stack.environment()
    topics = AdminClient({"bootstrap.servers": found["HINDCAST_KAFKA"]}).list_topics(timeout=10).topics
    assert {"mine.predictions", "mine.alerts"} <= set(topics)
    client = clickhouse_connect.get_client(dsn=found["HINDCAST_CLICKHOUSE"])
    assert client.query("EXISTS of_mine.predictions").result_rows == [(1,)]


@pytest.mark.parametrize("name", ["recorder", "clickhouse", "kafka"])
def test_a_killed_part_comes_back_and_the_status_says_so(stack: LocalStack, name: str) -> None:
    """Kill -9: the supervisor starts it again at the same address, counts the restart and knows how it ended."""
    restarts = line(stack, name)["restarts"]
    assert isinstance(restarts, int)
    old = stack.kill(name)
    eventually(
        lambda: line(stack, name)["restarts"] == restarts + 1, within=30, saying=f"{name} is restarted"
    )
    stack.wait_until_healthy(within=60)
    assert stack.pid(name) != old
    seen = line(stack, name)
    assert seen["last_exit"] == "terminated by SIGKILL"
    assert str(seen["last_exit_at"]).endswith("+00:00")


def test_the_last_exit_is_told_in_the_same_time_wherever_one_looks_from(stack: LocalStack) -> None:
    """The supervisor's log has local times; who reads the status may be in another zone."""
    began = datetime.now(UTC) - timedelta(seconds=1)
    restarts = line(stack, "joiner")["restarts"]
    stack.kill("joiner")
    eventually(lambda: line(stack, "joiner")["restarts"] != restarts, within=30, saying="joiner is restarted")
    seen = subprocess.run(
        [sys.executable, "-m", "hindcast", "status", "--json", "--directory", stack.layout.directory],
        env={**os.environ, "TZ": "Asia/Tokyo"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    told = {found["name"]: found["last_exit_at"] for found in json.loads(seen.stdout)["processes"]}
    assert began <= datetime.fromisoformat(told["joiner"]) <= datetime.now(UTC)


def test_a_second_start_is_refused(stack: LocalStack) -> None:
    """In one line, and the first one is not disturbed."""
    pid = stack.pid("kafka")
    with pytest.raises(ConfigError, match="already runs in"):
        LocalStack(stack.layout.directory).up(OPTIONS)
    assert stack.pid("kafka") == pid


def test_a_part_that_does_not_exist_is_named(stack: LocalStack) -> None:
    """Killing needs a name that runs."""
    with pytest.raises(ConfigError, match="gardener does not run"):
        stack.kill("gardener")


@pytest.mark.parametrize("written", [None, "{"])
def test_a_stack_whose_record_is_lost_is_seen_and_can_be_stopped(tmp_path: Path, written: str | None) -> None:
    """The status says that it runs and how to end it, with a code other than 0; `down` needs no record."""
    stack = LocalStack(tmp_path)
    stack.up(StackOptions(processors={}, lay_road=no_road))
    stack.layout.record.unlink()
    if written is not None:
        stack.layout.record.write_text(written)
    seen = subprocess.run(
        [sys.executable, "-m", "hindcast", "status", "--directory", tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert seen.returncode == 3
    assert str(stack.layout.record) in seen.stdout
    assert f"hindcast down --directory {tmp_path}" in seen.stdout
    assert stack.down()
    assert not processes_of(tmp_path)


def test_the_supervisors_death_leaves_nothing_running_and_the_data_stay(tmp_path: Path) -> None:
    """Kill -9 of supervisord ends all it had started; the next start finds ports and data again."""
    stack = LocalStack(tmp_path)
    stack.up(StackOptions(processors={}, lay_road=no_road))
    before = stack.environment()
    assert len(processes_of(tmp_path)) >= 3
    os.kill(int((tmp_path / "supervisord.pid").read_text()), signal.SIGKILL)
    eventually(lambda: not processes_of(tmp_path), saying="nothing is left running")
    assert not stack.running()
    assert stack.status()["running"] is False
    stack.up(StackOptions(processors={}, lay_road=no_road))
    after = stack.environment()
    for name in {name for name in before if after[name] != before[name]}:
        # only a port that another program holds by now is replaced
        assert not is_free(int(before[name].rsplit(":", 1)[1])), name
    assert after.keys() == before.keys()
    assert stack.down()
    assert not stack.down()


def test_a_killed_foreground_process_takes_the_stack_with_it(tmp_path: Path) -> None:
    """`up` without detaching never outlives the process that called it, however that ends."""
    program = (
        "import sys, time\nfrom pathlib import Path\n"
        "from hindcast.local.stack import LocalStack\nfrom hindcast.local.startup import StackOptions\n"
        f"LocalStack(Path({str(tmp_path)!r})).up(StackOptions(processors={{}}, lay_road=lambda v: None))\n"
        "print('up', flush=True)\ntime.sleep(600)\n"
    )
    caller = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    assert caller.stdout.readline() == "up\n"
    assert LocalStack(tmp_path).running()
    caller.kill()
    caller.wait()
    caller.stdout.close()
    eventually(lambda: not processes_of(tmp_path), saying="nothing is left running")
