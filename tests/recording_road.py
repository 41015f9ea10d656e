"""The recorder's road in tests: send messages, run recorders as processes, kill them, look at what was recorded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource
from waiting import eventually

from producers.codec import encode
from producers.schema_files import newest, schema_directory
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.clickhouse import Store
from stream_processors.kafka import (
    KafkaError,
    Message,
    TopicPartition,
    admin,
    create_topics,
    end_offsets,
    producer,
    reader,
)
from stream_processors.migrations import migrate
from stream_processors.recorder import recorder_group
from stream_processors.recorder.pauses import committed_places
from stream_processors.settings import ClickHouseSettings

REPOSITORY = Path(__file__).resolve().parents[1]


def example(schema: str, **other: Any) -> dict[str, Any]:
    """The example of a schema, such as ``label``, with some fields changed."""
    text = (schema_directory() / "examples" / f"{newest(schema).label}.json").read_text(encoding="utf-8")
    return {**json.loads(text), **other}


class Road:
    """Topics and tables of one test.

    Attributes:
        kafka, store: to look at both ends.
        environment: of recorders started here.
    """

    def __init__(self, kafka: str, clickhouse: str, prefix: str, database: str, directory: Path) -> None:
        self.kafka = KafkaSettings(bootstrap=kafka, topic_prefix=prefix)
        self.store = Store(ClickHouseSettings(url=clickhouse, database=database))
        self.status_dir = directory / "status"
        self.environment = {
            **os.environ,
            "HINDCAST_KAFKA": kafka,
            "HINDCAST_TOPIC_PREFIX": prefix,
            "HINDCAST_CLICKHOUSE": clickhouse,
            "HINDCAST_DATABASE": database,
            "HINDCAST_STATUS_DIR": str(self.status_dir),
        }
        self._log = (directory / "recorder.log").open("ab")
        self._recorders: list[subprocess.Popen[bytes]] = []
        self._producer = producer(self.kafka, message_max_bytes=50_000_000)
        create_topics(self.kafka, topics().values())
        migrate(self.store)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for one in self._recorders:
            self.kill(one)
        self.store.close()
        self._log.close()

    def start(self, slot: str = "0", **environment: str) -> subprocess.Popen[bytes]:
        """A recorder."""
        recorder = subprocess.Popen(
            [sys.executable, "-m", "stream_processors.recorder"],
            env={**self.environment, "HINDCAST_SLOT": slot, **environment},
            cwd=REPOSITORY,
            stderr=self._log,
        )
        self._recorders.append(recorder)
        return recorder

    def said(self) -> str:
        """What recorders wrote to standard error."""
        return Path(self._log.name).read_text(errors="replace")

    def kill(self, recorder: subprocess.Popen[bytes]) -> None:
        """End it with SIGKILL."""
        recorder.send_signal(signal.SIGKILL)
        recorder.wait(10)

    def send(
        self,
        topic: str,
        values: Iterable[bytes | None],
        *,
        key: str = "k",
        partition: int = -1,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> None:
        """Send messages to a topic and wait for Kafka's word."""
        more = {"partition": partition} if partition >= 0 else {}
        failed: list[str] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed.append(error.name())

        for value in values:
            self._producer.produce(
                self.kafka.topic(topic), value, key, headers=headers or [], on_delivery=delivered, **more
            )
            self._producer.poll(0)
        assert self._producer.flush(30) == 0
        assert not failed, failed

    def send_records(
        self, topic: str, schema: str, records: Iterable[Mapping[str, Any]], **more: Any
    ) -> None:
        """Send records of a schema."""
        self.send(topic, [encode(schema, dict(record)) for record in records], **more)

    def ends(self, topic: str) -> dict[int, int]:
        """The end of each partition."""
        client = reader(self.kafka)
        try:
            return end_offsets(client, self.kafka.topic(topic), range(4))
        finally:
            client.close()

    def committed(self, topic: str) -> dict[int, int]:
        """How far the recorder has come in each partition."""
        client = reader(self.kafka, group_id=recorder_group(self.kafka))
        try:
            places = committed_places(client, [(self.kafka.topic(topic), p) for p in range(4)])
        finally:
            client.close()
        return {place.partition: place.offset for place in places}

    def rewind(self, offsets: Mapping[str, int], *, partition: int = 0, metadata: str = "") -> None:
        """Take back commits, as if they had been lost; no recorder may be running."""
        places = [
            TopicPartition(self.kafka.topic(name), partition, offset, metadata)
            for name, offset in offsets.items()
        ]
        group = ConsumerGroupTopicPartitions(recorder_group(self.kafka), places)
        client = admin(self.kafka)

        def taken() -> bool:
            # the killed member counts as one until its session has ended
            client.alter_consumer_group_offsets([group])[group.group_id].result()
            return all(self.committed(name)[partition] == offset for name, offset in offsets.items())

        eventually(taken, within=30, saying="Kafka lets the group's offsets be changed")

    def drop_before(self, topic: str, partition: int, offset: int) -> None:
        """Let the log begin at ``offset``, as retention would."""
        place = TopicPartition(self.kafka.topic(topic), partition, offset)
        client = admin(self.kafka)
        for future in client.delete_records([place]).values():
            future.result()

    def allow(self, topic: str, size: int) -> None:
        """Let a topic take messages of so many bytes."""
        entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(
            ConfigResource.Type.TOPIC, self.kafka.topic(topic), incremental_configs=[entry]
        )
        client = admin(self.kafka)
        for future in client.incremental_alter_configs([resource]).values():
            future.result()

    def letters(self) -> list[dict[str, Any]]:
        """Dead letters in order of where the original stands."""
        return self.rows(
            "SELECT topic, partition, offset, reason, detail, fingerprint, model, hex(key) AS key, hex(value) AS value,"
            " arrayMap(h -> h.name || '=' || hex(h.value), headers) AS headers,"
            " replayed FROM dead_letters FINAL ORDER BY topic, topic_id, partition, offset"
        )

    def recorded(self, *names: str, within: float = 60) -> None:
        """Return when the recorder has come to the end of these topics."""

        def check() -> None:
            for topic in names:
                committed, ends = self.committed(topic), self.ends(topic)
                assert committed == ends, f"{topic}: committed {committed} of {ends}"

        eventually(check, within=within, saying="the recorder comes to the end")

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query."""
        return self.store.rows(sql)

    def count(self, table: str, *, final: bool = True) -> int:
        """Rows of a table, repeats removed unless not ``final``."""
        found = self.rows(f"SELECT count() AS n FROM {table} {'FINAL' if final else ''}")
        return int(found[0]["n"])

    def heartbeat(self, slot: str = "0") -> dict[str, Any]:
        """What the recorder says of itself; empty before it has said anything."""
        try:
            found: dict[str, Any] = json.loads((self.status_dir / f"recorder-{slot}.json").read_text())
        except (OSError, ValueError):
            return {}
        return found
