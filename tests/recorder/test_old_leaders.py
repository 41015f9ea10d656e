"""A topic that is made anew after its partitions had several leaders: its own first leaders have lower epochs than clients know."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from kafka_topics import make_topic_anew
from recording_road import Road
from test_changed_logs import labels, numbered, recorded_labels

from hindcast.local.kafka import answers, prepare_kafka
from hindcast.local.program import Running


def test_a_topic_made_anew_after_kafka_was_started_again_is_recorded(
    clickhouse: str, topic_prefix: str, database: str, tmp_path: Path
) -> None:
    """A recorder that slept through the deletion asks for the log that is gone, is told of leaders that look outdated, and yet goes on."""
    node, program = prepare_kafka(tmp_path / "kafka", environment=os.environ)
    running = Running(program)
    try:
        running.wait_until(lambda: answers(node.bootstrap), within=60)
        with Road(node.bootstrap, clickhouse, topic_prefix, database, tmp_path) as road:
            # with every start the partitions have a leader anew
            running.stop()
            running = Running(program)
            running.wait_until(lambda: answers(node.bootstrap), within=60)
            road.send("labels", labels("old", range(20)), partition=0)
            recorder = road.start()
            road.recorded("labels")
            recorder.send_signal(signal.SIGSTOP)
            make_topic_anew(road.kafka, "labels")
            road.send("labels", labels("new", range(3)), partition=0)
            recorder.send_signal(signal.SIGCONT)
            road.recorded("labels")
            assert recorded_labels(road) == [*numbered("new", 3), *numbered("old", 20)]
            assert road.count("dead_letters") == 0
            assert recorder.poll() is None
    finally:
        running.stop()
