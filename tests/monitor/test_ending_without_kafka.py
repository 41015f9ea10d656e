"""A monitor that is asked to end while Kafka does not answer."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from monitor_road import MonitorProcess, made_road
from waiting import eventually

from hindcast.local.kafka import answers, prepare_kafka
from hindcast.local.program import Running


def _hold(kafka: Running) -> None:
    os.kill(kafka.pid, signal.SIGSTOP)


@pytest.mark.parametrize("silence", [_hold, Running.kill], ids=["held still", "killed"])
def test_sigterm_ends_it_while_kafka_is_away(
    clickhouse: str, topic_prefix: str, database: str, tmp_path: Path, silence: Callable[[Running], None]
) -> None:
    """It does not wait for a last commit that nobody takes, with Faust's minute for each of its parts."""
    node, program = prepare_kafka(tmp_path / "kafka", environment=os.environ)
    kafka = Running(program)
    try:
        kafka.wait_until(lambda: answers(node.bootstrap), within=60)
        with made_road(node.bootstrap, clickhouse, topic_prefix, database, tmp_path) as road:
            road.flushes.idle(2)
            with MonitorProcess(road) as monitor:
                eventually(lambda: road.heartbeat().get("events", 0) > 0, within=30)
                silence(kafka)
                monitor.process.send_signal(signal.SIGTERM)
                monitor.process.communicate(timeout=20)
                assert monitor.process.returncode == 0
    finally:
        kafka.kill()
