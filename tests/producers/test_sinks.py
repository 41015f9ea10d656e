"""The contract of sinks, kept by Kafka and by its double in memory alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from waiting import eventually

from producers import librdkafka
from producers.errors import ConfigError
from producers.kafka_sink import KafkaSink
from producers.settings import KafkaSettings
from producers.sink import PURGED, PURGED_IN_FLIGHT, TOO_LARGE, Refusal, Sink, SinkFull, SinkRefused
from producers.testing import MemorySink
from producers.topics import Topic
from stream_processors.kafka import Message, create_topics

Away = Callable[[], Sink]
ReadAll = Callable[[str], list[Message]]


@pytest.fixture(params=["memory", "kafka"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which sink."""
    return str(request.param)


@pytest.fixture
def sink(kind: str, request: pytest.FixtureRequest) -> Sink:
    """An open sink whose log answers."""
    made: Sink = MemorySink() if kind == "memory" else KafkaSink(request.getfixturevalue("settings"))
    made.open()
    return made


@pytest.fixture
def away(kind: str) -> Sink:
    """An open sink whose log does not answer, with room for ten messages."""
    made: Sink
    if kind == "memory":
        made = memory = MemorySink(capacity=10)
        memory.away = True
    else:
        made = KafkaSink(KafkaSettings("127.0.0.1:1", properties={"queue.buffering.max.messages": "10"}))
    made.open()
    return made


class Reports:
    """Names of what was reported; an acknowledgement is ``ok``."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, refusal: Refusal | None, _message: object) -> None:
        """Be a report."""
        self.names.append("ok" if refusal is None else refusal.name())


def polled(sink: Sink, reports: Reports, count: int) -> list[str]:
    """The reports, once there are so many."""

    def check() -> bool:
        sink.poll(0.05)
        return len(reports.names) >= count

    eventually(check, within=15, saying=f"{count} reports of {reports.names}")
    return reports.names


def test_each_message_is_reported_once(sink: Sink) -> None:
    """A message waits until it is acknowledged, and its report is called once, by poll."""
    reports = Reports()
    for place in range(3):
        sink.send("predictions", b"%d" % place, b"value", reports)
    assert sink.waiting() == 3
    assert reports.names == []
    assert polled(sink, reports, 3) == ["ok", "ok", "ok"]
    assert sink.waiting() == 0
    sink.poll(0)
    assert len(reports.names) == 3


def test_a_message_too_large_is_refused_at_once(sink: Sink) -> None:
    """Ten megabytes are refused by name, without a report, and the next message goes on."""
    reports = Reports()
    with pytest.raises(SinkRefused) as refused:
        sink.send("predictions", b"k", b"x" * 10_000_000, reports)
    assert refused.value.name() == "MSG_SIZE_TOO_LARGE"
    assert sink.waiting() == 0
    sink.send("predictions", b"k", b"x", reports)
    assert polled(sink, reports, 1) == ["ok"]


def test_an_unknown_topic_is_reported(sink: Sink) -> None:
    """A topic that does not exist is not created: its messages are refused, by report."""
    reports = Reports()
    sink.send("nosuch", b"k", b"x", reports)
    assert polled(sink, reports, 1) == ["UNKNOWN_TOPIC_OR_PART"]


def test_a_full_sink_says_so(away: Sink) -> None:
    """Where the log does not answer, messages wait up to the limit, and then the sink is full."""
    reports = Reports()
    for _ in range(10):
        away.send("predictions", b"k", b"x", reports)
    with pytest.raises(SinkFull):
        away.send("predictions", b"k", b"x", reports)
    # librdkafka counts what it has to say of its connections among what waits, until that is heard
    eventually(lambda: away.poll(0.05) or away.waiting() == 10, saying="ten wait")
    assert reports.names == []


def test_what_is_purged_is_reported(away: Sink) -> None:
    """What is given up is reported as purged, and nothing waits any more."""
    reports = Reports()
    for _ in range(4):
        away.send("predictions", b"k", b"x", reports)
    away.purge()
    assert set(polled(away, reports, 4)) <= {PURGED, PURGED_IN_FLIGHT}
    eventually(lambda: away.poll(0.05) or away.waiting() == 0, saying="nothing waits")


class Table:
    """Rows as a sink wants them; keeps what it is told."""

    def __init__(self, stream: str, values: list[bytes]) -> None:
        self.stream = stream
        self.keys = pa.array([str(place) for place in range(len(values))], pa.string())
        self.values = pa.array(values, pa.binary())
        self.left = len(values)
        self.outcome: list[tuple[int, str]] | None = None

    def progress(self, left: int) -> None:
        """Hear how many are left."""
        self.left = left

    def settled(self, refused: Sequence[tuple[int, Refusal]]) -> None:
        """Hear the end, once."""
        assert self.outcome is None
        self.outcome = [(place, refusal.name()) for place, refusal in refused]

    def end(self, sink: Sink) -> list[tuple[int, str]]:
        """What was refused, once all is known."""
        eventually(
            lambda: sink.poll(0.05) or self.outcome is not None,
            within=15,
            saying=f"the end; {self.left} left",
        )
        assert self.outcome is not None
        return self.outcome


def test_a_table_is_reported_at_once(sink: Sink) -> None:
    """Its messages wait until the last is acknowledged; then there is room for the next."""
    table = Table("predictions", [b"value"] * 100)
    assert sink.takes_table()
    sink.send_table(table)
    assert table.outcome is None
    assert 1 <= sink.waiting() <= 100
    assert not sink.takes_table()
    with pytest.raises(SinkFull):
        sink.send_table(Table("predictions", [b"another"]))
    assert table.end(sink) == []
    assert sink.waiting() == 0
    assert sink.takes_table()
    second = Table("labels", [b"value"])
    sink.send_table(second)
    assert second.end(sink) == []


def test_messages_of_a_table_are_refused_by_their_places(sink: Sink) -> None:
    """One too large holds up no other; an unknown topic refuses them all; an empty table has an end too."""
    table = Table("predictions", [b"x", b"x" * 10_000_000, b"", b"x" * 10_000_000, b"x"])
    sink.send_table(table)
    assert table.end(sink) == [(1, TOO_LARGE), (3, TOO_LARGE)]
    unknown = Table("nosuch", [b"x"] * 3)
    sink.send_table(unknown)
    assert unknown.end(sink) == [(place, "UNKNOWN_TOPIC_OR_PART") for place in range(3)]
    empty = Table("predictions", [])
    sink.send_table(empty)
    assert empty.end(sink) == []


def test_a_table_that_is_purged_is_reported(away: Sink) -> None:
    """What is given up of a table is reported as purged, row by row, though it be more than the sink takes of single ones."""
    table = Table("predictions", [b"x"] * 50)
    away.send_table(table)
    away.poll(0.05)
    assert away.waiting() >= 1
    away.purge()
    refused = table.end(away)
    assert [place for place, _ in refused] == list(range(50))
    assert {name for _, name in refused} <= {PURGED, PURGED_IN_FLIGHT}
    eventually(lambda: away.poll(0.05) or away.waiting() == 0, saying="nothing waits")


def test_a_table_keeps_its_order_and_its_keys(settings: KafkaSettings, read_all: ReadAll) -> None:
    """In Kafka a table's rows stand in their order, partition by partition, where a single message's key puts them."""
    sink = KafkaSink(settings)
    sink.open()
    table = Table("predictions", [b"%d" % place for place in range(5_000)])
    sink.send_table(table)
    assert table.end(sink) == []
    reports = Reports()
    for place in range(100):
        sink.send("predictions", b"%d" % place, b"single", reports)
    polled(sink, reports, 100)
    partition_of: dict[bytes, int] = {}
    last: dict[int, int] = {}
    for message in read_all("predictions"):
        key, value, partition = message.key(), message.value(), message.partition()
        if value == b"single":
            assert partition_of[key] == partition
            continue
        assert key == value
        partition_of[key] = partition
        assert last.get(partition, -1) < int(value)
        last[partition] = int(value)
    assert len(partition_of) == 5_000
    assert len(last) == 4


def test_a_table_is_sent_row_by_row_where_librdkafka_is_not_found(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another build of confluent_kafka keeps the same promise more slowly, and says so."""
    monkeypatch.setitem(librdkafka._FUNCTIONS, "no_such_function", (None, ()))
    sink = KafkaSink(settings)
    sink.open()
    table = Table("predictions", [b"x", b"x" * 10_000_000, *[b"x"] * 3_000])
    sink.send_table(table)
    assert any("row by row" in complaint for complaint in sink.complaints())
    assert not sink.takes_table()
    assert table.end(sink) == [(1, TOO_LARGE)]
    assert sink.waiting() == 0


def test_a_table_client_that_died_is_replaced(settings: KafkaSettings) -> None:
    """After a fatal error a table finds no room until there is another client, and is sent with that."""
    small = Topic("small", "k", (), 1, (), (), max_message_bytes=1000)
    create_topics(settings, [small])
    gapless = replace(settings, properties={"enable.gapless.guarantee": "true"})
    sink = KafkaSink(gapless)
    sink.open()
    table = Table("small", [random.Random(1).randbytes(5_000)])
    sink.send_table(table)
    assert table.end(sink) == [(0, "MSG_SIZE_TOO_LARGE")]
    again = Table("predictions", [b"x"] * 3)
    with pytest.raises(SinkFull):
        sink.send_table(again)
    sink.send_table(again)
    assert again.end(sink) == []
    sink.close()


def test_a_child_gets_a_sink_of_its_own(sink: Sink) -> None:
    """The sink for a child is another one, unopened, that works once it is opened."""
    child, reports = sink.for_child(), Reports()
    assert child is not sink
    child.open()
    child.send("predictions", b"k", b"x", reports)
    assert polled(child, reports, 1) == ["ok"]
    child.close()


def test_a_log_that_is_away_is_complained_of() -> None:
    """A broker that does not answer is named with its address."""
    sink = KafkaSink(KafkaSettings("127.0.0.1:1"))
    sink.open()

    def check() -> list[str]:
        sink.poll(0.05)
        return sink.complaints()

    assert "Kafka at 127.0.0.1:1" in eventually(check, saying="a complaint")[0]


@pytest.mark.parametrize(
    ("stated", "capacity"), [(None, 100_000), ("250", 250), ("0", 2**31 - 1), ("many", 100_000)]
)
def test_the_capacity_is_what_the_client_is_told(stated: str | None, capacity: int) -> None:
    """A queue that the user makes larger or smaller is what the ledger says may be lost; nonsense is refused at the start."""
    properties = {} if stated is None else {"queue.buffering.max.messages": stated}
    assert KafkaSink(KafkaSettings("127.0.0.1:1", properties=properties)).capacity == capacity


def test_a_producer_that_died_is_replaced(settings: KafkaSettings) -> None:
    """After a fatal error the sink is full until it has another producer, and sends with that; poll raises nothing."""
    small = Topic("small", "k", (), 1, (), (), max_message_bytes=1000)
    create_topics(settings, [small])
    # the broker's refusal of one message, which is too large for its topic, ends a producer that promises no gaps
    gapless = replace(settings, properties={"enable.gapless.guarantee": "true"})
    sink = KafkaSink(gapless)
    sink.open()
    reports = Reports()
    sink.send("small", b"k", random.Random(1).randbytes(5_000), reports)
    assert polled(sink, reports, 1) == ["MSG_SIZE_TOO_LARGE"]
    for properties in ({"ssl.ca.location": "/nowhere", "security.protocol": "ssl"}, gapless.properties):
        sink._settings = replace(gapless, properties=properties)  # what was good at the start may not be now
        with pytest.raises(SinkFull):
            sink.send("predictions", b"k", b"x", reports)
    said = sink.complaints()
    assert any("_GAPLESS_GUARANTEE" in complaint for complaint in said)
    assert any("Kafka settings are refused" in complaint for complaint in said)
    sink.send("predictions", b"k", b"x", reports)
    assert polled(sink, reports, 2)[1:] == ["ok"]


@pytest.mark.parametrize(
    "properties", [{"no.such.setting": "1"}, {"linger.ms": "soon"}, {"ssl.ca.location": "/nowhere"}]
)
def test_settings_that_no_retry_mends(properties: dict[str, str], tmp_path: Path) -> None:
    """A property that librdkafka refuses is a ConfigError in one line."""
    extra = {"security.protocol": "ssl"} if "ssl.ca.location" in properties else {}
    with pytest.raises(ConfigError, match="Kafka settings are refused: ") as refusal:
        KafkaSink(KafkaSettings("127.0.0.1:1", properties=properties | extra)).open()
    assert "\n" not in str(refusal.value)


def test_the_partitioner_is_not_the_users() -> None:
    """Another partitioner would put one key in two partitions, so the property is not taken."""
    sink = KafkaSink(KafkaSettings("127.0.0.1:1", properties={"partitioner": "nonsense"}))
    sink.open()
    sink.close()
