"""A broker killed and started again under a running profiler."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from profiled_log import assert_numeric, event, send
from profiler_process import profiler_process
from running_profiler import all_read
from waiting import eventually

from hindcast.local.kafka import answers, prepare_kafka
from hindcast.local.program import Running
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.kafka import create_topics


def test_broker_killed_while_events_flow(tmp_path: Path) -> None:
    """A broker that dies in the middle and comes back finds the profiler alive, and every event is counted once."""
    node, program = prepare_kafka(tmp_path, environment=os.environ)
    running = Running(program)
    try:
        eventually(lambda: answers(node.bootstrap), within=60)
        settings = KafkaSettings(bootstrap=node.bootstrap, topic_prefix="t")
        create_topics(
            settings, [topics()[name] for name in ("predictions", "contracts", "sketches")], partitions=2
        )
        events = [event(number) for number in range(4_000)]
        pause = threading.Event()

        def flow() -> None:
            for start in range(0, len(events), 250):
                send(settings, events[start : start + 250])
                pause.wait(0.8)

        with profiler_process(settings) as process:
            sender = threading.Thread(target=flow)
            sender.start()
            for _ in range(2):
                pause.wait(4)
                running.kill()
                running = Running(program)
                eventually(lambda: answers(node.bootstrap), within=60)
            sender.join()
            log = all_read(settings, within=240)
            assert process.poll() is None
    finally:
        running.kill()
    log.check_tiling()
    assert log.whole().events == len(events)
    assert_numeric(log.whole().numeric("age"), [one["numeric_features"]["age"] for one in events])
