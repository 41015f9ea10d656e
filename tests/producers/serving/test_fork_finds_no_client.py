"""No Kafka client runs in a process at the moment it forks: a child would inherit the locks of its threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from producers.settings import KafkaSettings

ROOT = Path(__file__).parents[3]

# what is registered first is called last before a fork: this sees the process as the child gets it
PROGRAM = """
import json, os, time
from pathlib import Path

def clients():
    tasks = Path("/proc/self/task").iterdir()
    return sum((task / "comm").read_text().startswith("rdk:") for task in tasks)

running, sent, took = [], [], []
os.register_at_fork(before=lambda: (running.append(clients()), sent.append(log.stats.delivered)))

from producers import PredictionLogger
log = PredictionLogger(model="m")
for turn in range(4):
    log.prediction(entity_id="parent")
    time.sleep({under_way})
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        os._exit(0)
    took.append(time.monotonic() - begun)
    os.waitpid(child, 0)
log.flush({flush})
print(json.dumps([running, took, [*sent, log.stats.delivered]]))
os._exit(0)
"""
needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")


def forks(
    kafka: str, prefix: str, *, flush: float, under_way: float, **more: str
) -> tuple[list[int], list[float], list[int]]:
    """Of four forks with an event before each: the client's threads at each, the seconds each took, and how many events had
    arrived at each, and in the end.
    """
    environment = os.environ | {"HINDCAST_KAFKA": kafka, "HINDCAST_TOPIC_PREFIX": prefix} | more
    command = [sys.executable, "-c", PROGRAM.format(flush=flush, under_way=under_way)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=True
    )
    found: Any = json.loads(done.stdout)
    return found[0], found[1], found[2]


@needs_proc
def test_the_client_is_gone_while_a_process_forks(settings: KafkaSettings) -> None:
    """An event that was said just before each fork has arrived by then: the sender goes on with another client each time."""
    running, _, delivered = forks(settings.bootstrap, settings.topic_prefix, flush=30, under_way=0)
    assert (running, delivered) == ([0, 0, 0, 0], [1, 2, 3, 4, 4])


@needs_proc
def test_forks_do_not_wait_for_a_kafka_that_is_away() -> None:
    """One fork waits for what cannot arrive, a moment; those after it do not."""
    running, took, delivered = forks("127.0.0.1:1", "t", flush=0.1, under_way=0.5)
    assert [seconds > 1 for seconds in took] == [True, False, False, False]
    assert (all(running), delivered) == (True, [0] * 5)


@needs_proc
def test_forks_do_not_wait_for_a_client_that_never_was(tmp_path: Path) -> None:
    """Settings that Kafka's client refuses: there is nothing to let go of, and no fork waits."""
    refused = tmp_path / "refused.properties"
    refused.write_text("no.such.setting=1\n")
    running, took, delivered = forks(
        "127.0.0.1:1", "t", flush=0.1, under_way=0.5, HINDCAST_KAFKA_PROPERTIES=str(refused)
    )
    assert not any(seconds > 1 for seconds in took)
    assert (running, delivered) == ([0, 0, 0, 0], [0] * 5)
