"""The files of a single-node KRaft broker: settings and logging, rendered from a few values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from hindcast.local.ports import LOOPBACK

INTERNAL_PARTITIONS = 4


@dataclass(frozen=True)
class KafkaNode:
    """One broker that is its own controller; every file lies below `directory`."""

    directory: Path
    port: int
    controller_port: int
    cluster_id: str

    @property
    def bootstrap(self) -> str:
        """What clients connect to."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def properties_file(self) -> Path:
        """Kafka's own settings file."""
        return self.directory / "server.properties"

    @property
    def logging_file(self) -> Path:
        """Log4j's settings file."""
        return self.directory / "log4j2.properties"

    @property
    def data(self) -> Path:
        """Kafka's log directory."""
        return self.directory / "data"


def render_properties(node: KafkaNode) -> str:
    """`server.properties`: what one node needs, loopback only, nothing that waits for other nodes."""
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{node.controller_port}",
        "listeners": f"PLAINTEXT://{node.bootstrap},CONTROLLER://{LOOPBACK}:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{node.bootstrap},CONTROLLER://{LOOPBACK}:{node.controller_port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": node.data,
        # A misspelt topic is an error, not a new topic.
        "auto.create.topics.enable": "false",
        # One node replicates nothing.
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "offsets.topic.num.partitions": INTERNAL_PARTITIONS,
        "transaction.state.log.num.partitions": INTERNAL_PARTITIONS,
        "share.coordinator.state.topic.num.partitions": INTERNAL_PARTITIONS,
        # A group of one need not wait for more members, and a crashed member is noticed soon.
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
        # After kill -9 the controller waits this long before it takes the broker back.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        # The cleaner's default buffer is 128 MiB, a quarter of the heap.
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        "log.segment.bytes": 256 * 1024 * 1024,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "message.max.bytes": 8 * 1024 * 1024,
    }
    return "".join(f"{name}={_escaped(str(value))}\n" for name, value in settings.items())


def _escaped(value: str) -> str:
    # Java reads settings as Latin-1, and letters beyond as JSON writes them: \uXXXX.
    return json.dumps(value)[1:-1]


def render_logging(level: str = "WARN") -> str:
    """`log4j2.properties`: to standard output, where the supervisor collects and rotates it."""
    return (
        "status=error\n"
        "appender.out.type=Console\n"
        "appender.out.name=out\n"
        "appender.out.layout.type=PatternLayout\n"
        "appender.out.layout.pattern=%d{ISO8601} %p %m (%c{1})%n%throwable{3}\n"
        f"rootLogger.level={level}\n"
        "rootLogger.appenderRef.out.ref=out\n"
        "logger.server.name=kafka.server.KafkaRaftServer\n"
        "logger.server.level=INFO\n"
    )
