"""Three brokers on this machine: what one cannot show. The first is the controller besides, and stays."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hindcast.local.kafka import answers, prepare_kafka
from hindcast.local.kafka_properties import KafkaNode, render_logging, render_properties
from hindcast.local.ports import free_port
from hindcast.local.program import Program, Running

START_S = 120
_COPIES = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
}


class ThreeBrokers:
    """Brokers 1, 2 and 3; every topic has three copies, and two brokers are enough to write.

    Attributes:
        bootstrap: their addresses.
    """

    def __init__(self, directory: Path) -> None:
        first, program = prepare_kafka(directory / "1", environment=os.environ)
        self._nodes = {1: first}
        self._programs = {1: program}
        _write(first, _COPIES)
        for number in (2, 3):
            self._add(number, replace(first, directory=directory / str(number), port=free_port()))
        self.bootstrap = ",".join(node.bootstrap for node in self._nodes.values())
        self._running = {number: Running(program) for number, program in self._programs.items()}
        for number in self._nodes:
            self._wait(number)

    def kill(self, number: int) -> None:
        """End a broker as a crash would."""
        self._running[number].kill()

    def start(self, number: int) -> None:
        """Start it again after `kill`, and wait until it answers."""
        self._running[number] = Running(self._programs[number])
        self._wait(number)

    def end(self) -> None:
        """End them all for good."""
        for one in self._running.values():
            one.kill()

    def _add(self, number: int, node: KafkaNode) -> None:
        """A broker that is no controller, told by the first one's: the same program with another directory."""
        (node.directory / "tmp").mkdir(parents=True)
        address = f"PLAINTEXT://{node.bootstrap}"
        roles = {"process.roles": "broker", "node.id": str(number)}
        _write(node, {**_COPIES, **roles, "listeners": address, "advertised.listeners": address})
        first = self._programs[1]
        command = [part.replace(str(self._nodes[1].directory), str(node.directory)) for part in first.command]
        java = [
            part for part in command[: command.index("kafka.Kafka")] if "ArchiveClassesAtExit" not in part
        ]
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={node.cluster_id}"]
        subprocess.run([*java, *tool, "-c", str(node.properties_file)], check=True, capture_output=True)
        run = (*java, "kafka.Kafka", str(node.properties_file))
        self._nodes[number] = node
        self._programs[number] = Program("kafka", run, node.directory / "kafka.log", first.environment)

    def _wait(self, number: int) -> None:
        node = self._nodes[number]
        self._running[number].wait_until(lambda: answers(node.bootstrap), within=START_S)


def _write(node: KafkaNode, other: dict[str, str]) -> None:
    settings = dict(line.split("=", 1) for line in render_properties(node).splitlines())
    node.properties_file.write_text(
        "".join(f"{name}={value}\n" for name, value in {**settings, **other}.items())
    )
    node.logging_file.write_text(render_logging())


@contextmanager
def three_brokers(directory: Path) -> Iterator[ThreeBrokers]:
    """Brokers that live as long as the context."""
    made = ThreeBrokers(directory)
    try:
        yield made
    finally:
        made.end()
