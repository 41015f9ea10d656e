"""A fork in the middle of loading Kafka's client, which the sender does in the background while a server may be forking."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

# the client's own module is found a second late, and the fork falls into that second
PROGRAM = """
import logging, os, sys, threading
from producers.kafka_sink import KafkaSink
from producers.settings import KafkaSettings

looking = threading.Event()

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "confluent_kafka.cimpl":
            looking.set()
            threading.Event().wait(1)

sys.meta_path.insert(0, Slow())
settings = KafkaSettings("127.0.0.1:1")
first = threading.Thread(target=KafkaSink(settings).open)
first.start()
looking.wait()
child = os.fork()
if child == 0:
    opened = []
    def work():
        KafkaSink(settings).open()
        opened.append(True)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(10)
    os._exit(0 if opened else 3)
first.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def run(program: str) -> str:
    """What a program prints in an interpreter that has loaded nothing yet."""
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=True
    ).stdout.strip()


def test_a_child_has_a_whole_client() -> None:
    """The fork waits for the import, so the child opens a connection of its own; without the hook it cannot."""
    assert run(PROGRAM) == "0"
    # the hook is asked for when the module is loaded: taken away, the child gets half a module or waits for ever
    assert run("import os; os.register_at_fork = lambda **_: None\n" + PROGRAM) == "3"


def test_uwsgi_has_it_before_it_forks() -> None:
    """The fork of uWSGI runs no hooks, so there the client is loaded with the logger."""
    program = (
        "import sys, types; from producers import KafkaSettings, PredictionLogger\n"
        "def loaded():\n"
        "    PredictionLogger(model='m', kafka=KafkaSettings('127.0.0.1:1'))\n"
        "    return 'confluent_kafka' in sys.modules\n"
        "before = loaded(); sys.modules['uwsgi'] = types.ModuleType('uwsgi'); print(before, loaded())"
    )
    assert run(program) == "False True"
