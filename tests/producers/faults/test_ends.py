"""Full disks and the end of the interpreter where nobody answers: calls go on, the end comes in time, and every event is accounted for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from producers.channel import Channel
from producers.events import prediction_record
from producers.limits import EVENTS
from producers.spool import Spool
from producers.testing import MemorySink

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
# five seconds of quiet, a second for the last ledger, and a busy machine
EXIT_S = 60


def run(call: str, *before: str, timeout: float = 200) -> tuple[dict[str, Any], str, float]:
    """What a function of ending_services.py reported on its last line, its log, and how many seconds it lived on after that."""
    done = subprocess.run(
        [*before, sys.executable, "-c", f"import ending_services as s; s.{call}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=True,
    )
    report = json.loads(done.stdout.splitlines()[-1])
    return report, done.stderr, time.time() - report["at"]


def on_disk(directory: Path) -> list[str]:
    """Prediction ids of all that lies in a spool, in order, ledgers left out."""
    spool, found = Spool(directory), []
    while (segment := spool.claim()) is not None:
        found += [message.key.decode() for message in segment.messages() if message.stream != "ledger"]
        segment.done()
    return found


def test_a_full_disk_drops_and_counts(tmp_path: Path) -> None:
    """Where no file may be written, every call goes on, and what finds no room in memory is dropped and counted."""
    report, log, _ = run(f"meet_full_file({str(tmp_path)!r})")
    assert report["calls"] == report["accepted"] == 5_000
    assert report["spooled"] == report["delivered"] == report["failed"] == report["waiting"] == 0
    assert report["dropped"].keys() == {"queue_full", "spool_full"}
    assert sum(report["dropped"].values()) == 5_000
    assert "disk full" in log
    assert "Traceback" not in log
    assert on_disk(tmp_path) == []


def test_a_disk_that_becomes_full_keeps_what_it_took(tmp_path: Path) -> None:
    """On a file system of one megabyte what was spooled is on disk, the rest is dropped and counted, and every call goes on."""
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this system lets nobody mount a small file system; the test above meets a full file")
    mount = f'mount -t tmpfs -o size=1m tmpfs {tmp_path} && exec "$@"'
    report, log, _ = run(f"meet_full_disk({str(tmp_path)!r})", *NAMESPACE, "sh", "-c", mount, "sh")
    assert report["calls"] == report["accepted"]
    assert report["on_disk"] == report["spooled"] > 0
    assert report["dropped"].keys() == {"queue_full", "spool_full"}
    assert report["accepted"] == report["spooled"] + sum(report["dropped"].values())
    assert "disk full" in log
    assert "Traceback" not in log


def test_the_end_with_a_full_queue_and_no_broker() -> None:
    """Without a spool the interpreter ends within its limit, and what it gives up is said in the log."""
    _, log, seconds = run("end_full('')")
    assert seconds < EXIT_S
    assert "events lost so far, closed" in log
    assert "Traceback" not in log


def test_the_end_with_a_full_queue_and_a_spool(tmp_path: Path) -> None:
    """With a spool all that waited in memory is on disk when the interpreter has ended, within its limit, each event once."""
    report, log, seconds = run(f"end_full({str(tmp_path)!r})")
    assert seconds < EXIT_S
    assert "Traceback" not in log
    found = on_disk(tmp_path)
    assert len(set(found)) == len(found) == report["taken"] >= EVENTS
    assert "closed" not in log


def test_an_end_that_is_interrupted_loses_nothing(tmp_path: Path) -> None:
    """A handler of SIGTERM that raises, called while loggers are closed: what waited is on disk all the same."""
    report, _, _ = run(f"end_interrupted({str(tmp_path)!r})")
    found = on_disk(tmp_path)
    assert len(set(found)) == len(found) == report["taken"]


def test_a_close_waits_while_what_is_given_up_is_counted() -> None:
    """A close whose time is over still ends with every event's fate known, however long it takes to say them."""
    sink, moment = MemorySink(), threading.Event()
    sink.away = True
    channel, told = Channel(sink, None), []

    def settled(outcome: str) -> None:
        moment.wait(0.01)  # as on a busy machine
        told.append(outcome)

    record = prediction_record(
        prediction_id="p", model="m", model_version="1", environment="e", event_time=0, features={}
    )
    for _ in range(400):
        channel.say_record("predictions", record, time=0, settled=settled)
    assert channel.close(0.2) == 0
    assert told == ["closed"] * 400
    assert channel.stats().dropped == {"closed": 400}
