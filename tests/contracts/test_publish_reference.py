"""A contract's reference on a real topic: framed as asked for, whole or not at all, and once however many publish it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from contract_command import run
from reference_sketches import reference_of
from registry_server import Server, running_registry
from waiting import eventually

from producers.codec import CONFLUENT, Registry, read_frame
from producers.errors import BrokerUnavailable
from producers.registry import registry_of
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.contracts.baseline_file import baseline_path, write_baseline
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish import publish
from stream_processors.contracts.publish_reference import publish_reference, transaction_ms
from stream_processors.kafka import (
    OFFSET_BEGINNING,
    TopicPartition,
    admin,
    create_topics,
    end_offsets,
    latest_offsets,
    reader,
)

CONTRACT = "model: m\nfeatures:\n  x: {kind: numeric}\n"


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> KafkaSettings:
    """A prefix with its topic of contracts, in one partition."""
    found = KafkaSettings(bootstrap=kafka, topic_prefix=topic_prefix)
    create_topics(found, [topics()["contracts"]], partitions=1)
    return found


@pytest.fixture
def registry() -> Iterator[Server]:
    """A running schema registry."""
    with running_registry() as found:
        yield found


def sketches(many: int) -> list[dict[str, Any]]:
    """So many reference sketches of the contract's model."""
    return reference_of(Contract.from_yaml(CONTRACT, "m.yaml"), *range(many))


def contract_file(directory: Path, many: int) -> Path:
    """A contract with a baseline of so many sketches beside it."""
    path = directory / "m.yaml"
    path.write_text(CONTRACT)
    write_baseline(baseline_path(path), sketches(many))
    return path


def committed(settings: KafkaSettings) -> list[bytes]:
    """Every message of the topic that readers see."""
    client, found = reader(settings), []
    client.assign([TopicPartition(settings.topic("contracts"), 0, OFFSET_BEGINNING)])
    while True:
        for message in client.consume(1000, 0.2):
            if message.error() is not None:
                client.close()
                return found
            found.append(message.value())


def kinds(values: list[bytes], registry: Registry | None = None) -> list[str]:
    """Names of the messages' schemas."""
    return [read_frame(value, registry)[0].name for value in values]


def environment(settings: KafkaSettings, **more: str) -> dict[str, str]:
    """The variables of a command."""
    return {
        "HINDCAST_KAFKA": settings.bootstrap,
        "HINDCAST_TOPIC_PREFIX": settings.topic_prefix,
        "HINDCAST_CONTRACT_LEAD": "0",
        **more,
    }


def test_contracts_are_framed_as_the_registry_asks(
    settings: KafkaSettings, registry: Server, tmp_path: Path
) -> None:
    """With a registry, sketches and contract bear its ids, and the commands that read contracts find theirs."""
    told = environment(settings, HINDCAST_SCHEMA_REGISTRY=registry.url)
    for _ in range(2):
        done = run("publish", contract_file(tmp_path, 2), **told)
        assert done.exit_code == 0, done.output
    values = committed(settings)
    assert {value[:1] for value in values} == {CONFLUENT}
    asked = registry_of(KafkaSettings(schema_registry=registry.url))
    assert kinds(values, asked) == ["sketch", "sketch", "contract", "contract"]
    assert run("show", "m", **told).output.startswith("model: m\n")


def test_a_registry_that_is_away_publishes_nothing(settings: KafkaSettings, tmp_path: Path) -> None:
    """It is said, with the exit code for trying later, before anything is sent."""
    told = environment(settings, HINDCAST_SCHEMA_REGISTRY="http://127.0.0.1:1")
    refused = run("publish", contract_file(tmp_path, 2), **told)
    assert (refused.exit_code, "no schema registry answers at 127.0.0.1:1" in refused.output) == (3, True)
    assert latest_offsets(admin(settings), settings.topic("contracts"), [0]) == {0: 0}


def ended_amid_the_baseline(settings: KafkaSettings, tmp_path: Path, number: signal.Signals) -> int:
    """Publish a long baseline slowly, send a signal when the first of it has come; the exit code."""
    topic, client = settings.topic("contracts"), admin(settings)
    slow = tmp_path / "slow.properties"
    slow.write_text("batch.num.messages=1\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "hindcast", "contract", "publish", contract_file(tmp_path, 30_000)],
        env={**os.environ, **environment(settings, HINDCAST_KAFKA_PROPERTIES=str(slow))},
        stderr=subprocess.PIPE,
    )
    eventually(lambda: latest_offsets(client, topic, [0])[0] > 0, within=60)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert said.strip() == b""
    return process.returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_publish_leaves_nothing_open(
    settings: KafkaSettings, tmp_path: Path, number: signal.Signals
) -> None:
    """Ended in the middle of a baseline, it has aborted it: readers of contracts wait for nothing, and see none of it."""
    topic, client = settings.topic("contracts"), admin(settings)
    assert ended_amid_the_baseline(settings, tmp_path, number) == 130
    assert end_offsets(reader(settings), topic, [0]) == latest_offsets(client, topic, [0])
    assert committed(settings) == []


def test_publishing_again_after_a_kill(settings: KafkaSettings, tmp_path: Path) -> None:
    """What a killed publish left open is taken back by the next of the same contract, and the reference stands there once."""
    assert ended_amid_the_baseline(settings, tmp_path, signal.SIGKILL) == -signal.SIGKILL
    again = run("publish", tmp_path / "m.yaml", **environment(settings))
    assert again.exit_code == 0, again.output
    found = kinds(committed(settings))
    assert (found.count("sketch"), found.count("contract")) == (30_000, 1)


def test_a_refused_message_leaves_nothing_open(settings: KafkaSettings) -> None:
    """Where a sketch cannot be sent those before it are taken back, and the reason is told."""
    large = [*sketches(2), {**sketches(1)[0], "slice": "x" * 2_000_000}]
    with pytest.raises(BrokerUnavailable, match=r"did not take the reference sketches: .*too large"):
        publish_reference(settings, "m", "digest", large)
    topic = settings.topic("contracts")
    assert end_offsets(reader(settings), topic, [0]) == latest_offsets(admin(settings), topic, [0])


def test_several_publish_the_same_at_once(settings: KafkaSettings, capfd: pytest.CaptureFixture[str]) -> None:
    """Each of them succeeds, the reference stands there once and whole, and librdkafka prints nothing."""
    contract, baseline, together = Contract.from_yaml(CONTRACT, "m.yaml"), sketches(500), Barrier(6)

    def one() -> bool:
        together.wait(30)
        return publish(settings, contract, baseline=baseline, lead=0).in_effect

    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(one) for _ in range(6)]
    assert [future.result() for future in done] == [True] * 6
    found = kinds(committed(settings))
    assert (found.count("sketch"), found.count("contract")) == (500, 6)
    assert capfd.readouterr().err == ""


def test_a_transaction_lasts_as_long_as_sending_takes() -> None:
    """Five seconds at a megabyte a second more, and never more than Kafka allows."""
    assert [transaction_ms(size) for size in (0, 30_000_000, 10**12)] == [5_000, 35_000, 900_000]
