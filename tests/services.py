"""A real Kafka and a real ClickHouse for the tests, from whichever place this machine offers.

In this order: the addresses in `HINDCAST_TEST_KAFKA` and `HINDCAST_TEST_CLICKHOUSE`; containers of the images that
docker-compose.yml pins, where a Docker engine answers; else the local stack in a temporary directory.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from waiting import eventually

from hindcast.local.clickhouse import pings, prepare_clickhouse
from hindcast.local.kafka import answers, prepare_kafka
from hindcast.local.ports import LOOPBACK, free_port
from hindcast.local.program import Program, Running
from producers.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[1]
START_S = 120


def docker_answers() -> bool:
    """Whether a Docker engine is there, asked once and shortly."""
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


@contextmanager
def running_kafka(directory: Path) -> Iterator[str]:
    """Bootstrap servers of a Kafka that lives as long as the context."""
    given = os.environ.get("HINDCAST_TEST_KAFKA")
    if given:
        assert answers(given, timeout=10), f"no Kafka answers at HINDCAST_TEST_KAFKA={given}"
        yield given
    elif docker_answers():
        with _kafka_container() as bootstrap:
            yield bootstrap
    else:
        node, program = prepare_kafka(directory, environment=os.environ)
        with _started(program, lambda: answers(node.bootstrap)):
            yield node.bootstrap


@contextmanager
def running_clickhouse(directory: Path) -> Iterator[str]:
    """URL of a ClickHouse that lives as long as the context."""
    given = os.environ.get("HINDCAST_TEST_CLICKHOUSE")
    if given:
        assert pings(given, timeout=10), f"no ClickHouse answers at HINDCAST_TEST_CLICKHOUSE={given}"
        yield given
    elif docker_answers():
        with _clickhouse_container() as url:
            yield url
    else:
        url, program = prepare_clickhouse(directory)
        with _started(program, lambda: pings(url)):
            yield url


@contextmanager
def _started(program: Program, ready: Callable[[], bool]) -> Iterator[None]:
    running = Running(program)
    try:
        try:
            running.wait_until(ready, within=START_S)
        except ConfigError as problem:
            log = program.log.read_text(errors="replace")[-4000:]
            raise AssertionError(f"{problem}\nits log ends with:\n{log}") from None
        yield
    finally:
        running.stop()


def pinned_image(service: str) -> str:
    """The image of a service of docker-compose.yml."""
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    return str(compose["services"][service]["image"])


@contextmanager
def _kafka_container() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer

    port = free_port()
    settings = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{LOOPBACK}:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }
    container = DockerContainer(pinned_image("kafka")).with_bind_ports(9092, port)
    for name, value in settings.items():
        container = container.with_env(name, value)
    with container:
        bootstrap = f"{LOOPBACK}:{port}"
        eventually(lambda: answers(bootstrap), within=START_S, saying="the Kafka container answers")
        yield bootstrap


@contextmanager
def _clickhouse_container() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer

    container = (
        DockerContainer(pinned_image("clickhouse"))
        .with_exposed_ports(8123)
        .with_env("CLICKHOUSE_USER", "default")
        .with_env("CLICKHOUSE_PASSWORD", "hindcast")
        .with_env("CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT", "1")
    )
    with container:
        url = (
            f"http://default:hindcast@{container.get_container_host_ip()}:{container.get_exposed_port(8123)}"
        )
        eventually(lambda: pings(url), within=START_S, saying="the ClickHouse container answers")
        yield url
