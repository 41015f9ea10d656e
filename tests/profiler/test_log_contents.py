"""What else stands on the log than events of today: control records, nothing but garbage, what older producers write."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import fastavro
import numpy as np
import pytest
from profiled_log import SketchLog, event, numbered, send
from recomputed import assert_recomputed, raw_rows

from producers import codec, schema_files
from producers.codec import encode, frame
from producers.settings import KafkaSettings
from stream_processors.kafka import (
    Message,
    TopicPartition,
    admin,
    committed_offsets,
    latest_offsets,
    reader,
    transactional_producer,
)
from stream_processors.profiler.source import _offsets

Profile = Callable[[], SketchLog]


def committed(settings: KafkaSettings) -> dict[int, int]:
    """How far the profilers' group has come."""
    client = reader(settings, group_id=settings.topic("profiler"))
    found = committed_offsets(client, settings.topic("predictions"), range(3))
    client.close()
    return found


def ends(settings: KafkaSettings) -> dict[int, int]:
    """The offset after everything on the topic, control records included."""
    return latest_offsets(admin(settings), settings.topic("predictions"), range(3))


def test_control_records(settings: KafkaSettings, profiled: Profile) -> None:
    """Markers of transactions have offsets too: they are passed, at the log's end as well, and what was rolled back is not counted."""
    client = transactional_producer(settings, settings.topic("service"))
    client.init_transactions(30)
    kept = numbered(60)
    for part, is_kept in ((kept[:30], True), (numbered(30, first=900), False), (kept[30:], True)):
        client.begin_transaction()
        for number, one in enumerate(part):
            client.produce(settings.topic("predictions"), encode("prediction", one), partition=number % 3)
        assert client.flush(30) == 0
        client.commit_transaction(30) if is_kept else client.abort_transaction(30)
    log, rows = profiled(), raw_rows(settings)
    assert ends(settings) == dict.fromkeys(range(3), 33)
    assert committed(settings) == log.read_up_to() == ends(settings)
    assert (len(rows), log.events(), log.dead_letters()) == (60, 60, 0)
    assert_recomputed(log, rows)


def test_offsets_between_control_records(settings: KafkaSettings) -> None:
    """Offsets that are told by the first and last of a stretch are those of each message, with markers between them or without."""
    client, topic = transactional_producer(settings, settings.topic("service")), settings.topic("predictions")
    client.init_transactions(30)
    for size in (1, 4, 2, 40):
        client.begin_transaction()
        for number in range(size):
            client.produce(topic, b"any", partition=number % 2)
        client.commit_transaction(30)
    consumer = reader(settings)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(2)])
    messages: list[Message] = []
    while len(messages) < 47:
        messages += [message for message in consumer.consume(47, 0.2) if message.error() is None]
    consumer.close()
    partitions = np.array([message.partition() for message in messages])
    assert _offsets(messages, partitions).tolist() == [message.offset() for message in messages]


def test_nothing_but_garbage(settings: KafkaSettings, profiled: Profile) -> None:
    """Stretches without a single event make no delta, say how many dead letters they passed, and offsets go on."""
    send(settings, [b"garbage", None, b"", encode("prediction", event(1))[:-1], b"\xc3\x01" + b"x" * 20] * 12)
    log = profiled()
    assert (log.deltas, log.events(), log.dead_letters()) == ([], 0, 60)
    assert all(one["max_event_time"] is None for one in log.stretches[0])
    assert any(one["newest_append_time"] is not None for one in log.stretches[0])
    assert committed(settings) == log.read_up_to() == ends(settings)
    send(settings, numbered(30))
    log = profiled()
    assert (log.events(), log.dead_letters()) == (30, 60)
    assert_recomputed(log, raw_rows(settings))


@pytest.fixture
def upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A second version of ``prediction`` is shipped, with a field more; today's is the older one then."""
    shutil.copytree(schema_files.schema_directory(), tmp_path / "schemas")
    newer = json.loads(schema_files.newest("prediction").text)
    newer["fields"].insert(3, {"name": "weather", "type": ["null", "string"], "default": None})
    (tmp_path / "schemas" / "prediction.v2.avsc").write_text(json.dumps(newer))
    caches = (schema_files.shipped, schema_files.newest, schema_files.by_fingerprint, codec._quick_writer)
    with monkeypatch.context() as patched:
        patched.setattr(schema_files, "schema_directory", lambda: tmp_path / "schemas")
        for one in caches:
            one.cache_clear()
        yield
    for one in caches:
        one.cache_clear()


@pytest.mark.usefixtures("upgraded")
def test_producers_of_two_versions(settings: KafkaSettings, profiled: Profile) -> None:
    """Messages of an older and of the newest schema in one batch, garbage among them, are counted alike."""
    older = schema_files.shipped()["prediction.v1"]
    assert schema_files.newest("prediction").version == 2
    messages: list[bytes] = []
    for number, one in enumerate(numbered(200)):
        newest = encode("prediction", {**one, "weather": "rain"})
        body = io.BytesIO()
        fastavro.schemaless_writer(body, older.parsed, one)
        messages.append(
            (newest, frame(older) + body.getvalue(), frame(older) + body.getvalue()[:-1])[number % 3]
        )
    send(settings, messages)
    log, rows = profiled(), raw_rows(settings)
    assert (log.events(), log.dead_letters()) == (134, 66)
    assert_recomputed(log, rows)
