"""Preparing Kafka's directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Producer

from hindcast.local.kafka import answers, prepare_kafka
from hindcast.local.ports import free_port
from hindcast.local.program import Running
from producers.errors import ConfigError
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.kafka import create_topics


def test_an_identity_may_begin_with_a_dash(tmp_path: Path) -> None:
    """One in 64 random cluster ids does, and Kafka's tool must not take it for an option."""
    known = {"cluster_id": "-rgKHopqTyWEQtxar86z5Q", "port": free_port(), "controller_port": free_port()}
    (tmp_path / "node.json").write_text(json.dumps(known))
    node, _ = prepare_kafka(tmp_path, environment=os.environ)
    assert "cluster.id=-rgKHopqTyWEQtxar86z5Q" in (node.data / "meta.properties").read_text()


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_the_data_lie_in_the_directory_whatever_its_letters(tmp_path: Path, locale: str) -> None:
    """Java reads settings as Latin-1, and in a POSIX locale knows no file name beyond ASCII."""
    directory = tmp_path / "café 日😀 {a} $b"
    program = (
        "import os, sys; from pathlib import Path; from hindcast.local.kafka import prepare_kafka; "
        "prepare_kafka(Path(sys.argv[1]), environment=os.environ)"
    )
    subprocess.run(
        [sys.executable, "-c", program, directory],
        env={**os.environ, "LC_ALL": locale},
        timeout=90,
        check=True,
    )
    assert (directory / "data" / "meta.properties").is_file()
    assert list(tmp_path.iterdir()) == [directory]


def test_a_directory_that_cannot_be_formatted_is_told_with_kafkas_reason(tmp_path: Path) -> None:
    """Not with the place in Kafka's source."""
    metadata = tmp_path / "data" / "__cluster_metadata-0"
    metadata.parent.mkdir()
    metadata.touch()
    with pytest.raises(ConfigError, match=f"cannot be formatted: .*FileAlreadyExistsException: {metadata}$"):
        prepare_kafka(tmp_path, environment=os.environ)


def test_what_a_killed_kafka_unpacked_lies_in_its_directory(tmp_path: Path) -> None:
    """And goes with its next start: libraries in C, which it loads for messages of some compressions, from a directory of any letters."""
    directory = tmp_path / "café 日😀 {a} $b"
    node, program = prepare_kafka(directory, environment=os.environ)
    running = Running(program)
    try:
        running.wait_until(lambda: answers(node.bootstrap), within=60)
        kafka = KafkaSettings(node.bootstrap)
        create_topics(kafka, [topics()["labels"]])
        for codec in ("lz4", "zstd", "snappy", "gzip"):
            refused: list[object] = []
            producer = Producer({"bootstrap.servers": node.bootstrap, "compression.type": codec})
            producer.produce(
                kafka.topic("labels"),
                b"much the same " * 100,
                on_delivery=lambda error, _, refused=refused: refused.append(error),
            )
            assert producer.flush(60) == 0
            assert refused == [None]
    finally:
        running.kill()
    assert list((directory / "tmp").iterdir())
    prepare_kafka(directory, environment=os.environ)
    assert not list((directory / "tmp").iterdir())
