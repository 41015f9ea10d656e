"""Delivering a spool: in order, counted in a ledger, and deleted only once Kafka has acknowledged it."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from spooled_messages import HOUR, delivered, message, messages, numbers, prediction, segments

from producers.codec import CONFLUENT, decode
from producers.errors import BrokerUnavailable, ConfigError, SpoolUnavailable
from producers.ledger import HOUR as AN_HOUR
from producers.spool import Segment, Spool, Spooled
from producers.spool.container import HEADER_BYTES
from producers.spool.descriptors import Descriptors
from producers.spool.names import REFUSED, paths
from producers.spool.replay import Replay
from producers.testing import MemoryRegistry, MemorySink


def filled(directory: Path, said: list[Spooled], a_segment: int = 10) -> None:
    """A spool left by a process that has ended, with so many messages a segment."""
    spool = Spool(directory, segment_bytes=1)
    for place in range(0, len(said), a_segment):
        spool.append(said[place : place + a_segment])
    spool.close()


def sent(sink: MemorySink) -> list[bytes]:
    """Keys of the events that arrived."""
    return [one.key for one in sink.messages if one.stream != "ledger"]


def test_all_is_sent_in_order_and_deleted(tmp_path: Path) -> None:
    """Byte for byte, also through a sink with little room; progress adds up."""
    said = messages(0, 95)
    filled(tmp_path, said)
    sink, moved = MemorySink(capacity=7), list[int]()
    work = Replay(Spool(tmp_path), sink, moved=moved.append)
    work.run()
    assert [(one.stream, one.key, one.value) for one in sink.messages if one.stream != "ledger"] == [
        (one.stream, one.key, one.value) for one in said
    ]
    assert (work.segments, work.messages, sum(moved)) == (10, 95, 95)
    assert list(tmp_path.iterdir()) == []


def test_the_ledger_says_what_was_replayed_for_each_account(tmp_path: Path) -> None:
    """Under a producer id of its own, by the events' model, environment, stream and hour; the last one closes."""
    there, elsewhere = message(1), replace(message(2), environment="elsewhere")
    label, later = replace(message(3), stream="labels"), replace(message(4), hour=HOUR + AN_HOUR)
    filled(tmp_path, [there, there, elsewhere, label, later, replace(message(5), stream="ledger")])
    sink, registry = MemorySink(), MemoryRegistry()
    Replay(Spool(tmp_path), sink, registry).run()
    records = [decode(one.value, registry)[1] for one in sink.messages if one.value.startswith(CONFLUENT)]
    closing = {
        (r["model"], r["environment"], r["stream"], int(r["hour"].timestamp() * 1e6)): r["replayed"]
        for r in records
        if r["closing"]
    }
    assert closing == {
        ("m", "test", "predictions", HOUR): 2,
        ("m", "elsewhere", "predictions", HOUR): 1,
        ("m", "test", "labels", HOUR): 1,
        ("m", "test", "predictions", HOUR + AN_HOUR): 1,
    }
    assert len({r["producer_id"] for r in records}) == 1
    assert {(r["accepted"], r["delivered"], r["spooled"]) for r in records} == {(0, 0, 0)}


def test_what_is_refused_for_good_is_kept_aside_and_can_be_tried_again(tmp_path: Path) -> None:
    """One too large and one for no topic of ours: the others arrive, and these wait in a file of their own."""
    said = [message(0), message(1, size=500), replace(message(2), stream="nosuch"), message(3)]
    filled(tmp_path, said)
    sink = MemorySink(max_bytes=300)
    spool = Spool(tmp_path)
    work = Replay(spool, sink)
    work.run()
    spool.close()
    assert sent(sink) == [b"0", b"3"]
    assert (work.messages, work.refused) == (2, {"MSG_SIZE_TOO_LARGE": 1, "no_such_stream": 1})
    assert segments(tmp_path) == []
    [aside] = tmp_path.iterdir()
    assert aside.name.startswith("refused-")
    assert Spool(tmp_path).claim() is None

    larger = MemorySink()
    again = Spool(tmp_path)
    work = Replay(again, larger, refused=True)
    work.run()
    again.close()
    assert (sent(larger), work.messages, work.refused) == ([b"1"], 1, {"no_such_stream": 1})
    [aside] = paths(tmp_path, REFUSED)
    segment = Spool(tmp_path).claim(refused=True)
    assert segment is not None
    assert list(segment.messages()) == [said[2]]


def test_a_fault_leaves_its_segment_and_those_behind_it(tmp_path: Path) -> None:
    """What Kafka did not take is sent again later, with what it took of the same segment; only that is counted which is done."""
    said = messages(0, 30)
    said[15] = replace(said[15], stream="labels")
    filled(tmp_path, said)
    sink = MemorySink()
    sink.refuse["labels"] = "_MSG_TIMED_OUT"
    work = Replay(Spool(tmp_path), sink)
    with pytest.raises(BrokerUnavailable, match=r"did not take 1 messages \(_MSG_TIMED_OUT\)"):
        work.run()
    assert (work.segments, work.messages) == (1, 10)
    assert len(segments(tmp_path)) == 2
    assert [r["replayed"] for r in sink.records("ledger") if r["closing"]] == [10]
    sink.refuse.clear()
    Replay(Spool(tmp_path), sink).run()
    assert set(sent(sink)) == {one.key for one in said}
    assert sum(r["replayed"] for r in sink.records("ledger") if r["closing"]) == 30


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("UNKNOWN_TOPIC_OR_PART", "`hindcast topics` creates them"),
        ("TOPIC_AUTHORIZATION_FAILED", "does not let"),
    ],
)
def test_what_a_person_must_mend_is_said(tmp_path: Path, name: str, told: str) -> None:
    """A topic that is missing or forbidden; the segment stays."""
    filled(tmp_path, messages(0, 3))
    sink = MemorySink()
    sink.refuse["predictions"] = name
    with pytest.raises(ConfigError, match=told):
        Replay(Spool(tmp_path), sink).run()
    assert numbers(delivered(Spool(tmp_path))) == [0, 1, 2]


def test_a_stop_leaves_the_rest_intact(tmp_path: Path) -> None:
    """While a segment waits for a Kafka that does not answer: those before it are done and told, it and those behind stay."""
    filled(tmp_path, messages(0, 30))
    sink = MemorySink()
    asked = iter(range(1_000_000))

    def stopped() -> bool:
        sink.away = len(sent(sink)) >= 10
        return sink.away and next(asked) > 50

    work = Replay(Spool(tmp_path), sink, stopped=stopped)
    with pytest.raises(
        BrokerUnavailable, match="10 messages were replayed, but Kafka did not take the ledger"
    ):
        work.run()
    assert (work.segments, sink.waiting()) == (1, 1)
    assert numbers(delivered(Spool(tmp_path))) == list(range(10, 30))


def test_a_stop_before_anything_says_nothing(tmp_path: Path) -> None:
    """No ledger, no fault."""
    filled(tmp_path, messages(0, 30))
    sink = MemorySink()
    Replay(Spool(tmp_path), sink, stopped=lambda: True).run()
    assert sink.messages == []
    assert len(segments(tmp_path)) == 3


def test_damage_is_counted_and_its_file_kept(tmp_path: Path) -> None:
    """The rest of it arrives."""
    filled(tmp_path, messages(0, 10))
    [path] = segments(tmp_path)
    content = bytearray(path.read_bytes())
    content[HEADER_BYTES + 60] ^= 1
    path.write_bytes(content)
    sink = MemorySink()
    work = Replay(Spool(tmp_path), sink)
    work.run()
    assert (work.messages, work.damage.blocks) == (9, 1)
    assert [one.name for one in tmp_path.iterdir()] == [f"damaged-{path.name}"]


@contextmanager
def no_file_may_grow() -> Iterator[None]:
    """As on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # a compiled module would be cut short, too
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sys.dont_write_bytecode = kept


def test_what_cannot_be_kept_aside_keeps_its_segment(tmp_path: Path) -> None:
    """A disk without room for the refused messages: nothing is deleted."""
    filled(tmp_path, [message(0), message(1, size=500)])
    with (
        no_file_may_grow(),
        pytest.raises(SpoolUnavailable, match=r"disk full: .* 1 messages that Kafka refuses"),
    ):
        Replay(Spool(tmp_path), MemorySink(max_bytes=300)).run()
    assert numbers(delivered(Spool(tmp_path))) == [0, 1]
    assert list(tmp_path.iterdir()) == []


def test_a_segment_that_the_system_does_not_read_is_left(tmp_path: Path) -> None:
    """An I/O error is no damage: nothing raises, the file stays, and this process does not claim it again."""
    path = tmp_path / "segment"
    path.write_text("")
    settled: list[Segment] = []
    descriptors = Descriptors()
    descriptor = descriptors.lock(Path("/proc/self/mem"))  # whose first byte cannot be read
    assert descriptor is not None
    segment = Segment(path, descriptor, descriptors, settled.append)
    assert list(segment.messages()) == []
    assert segment.fault == "Input/output error"
    segment.done()
    assert path.exists()
    assert (settled, segment.again) == ([segment], False)


def test_real_events_are_the_same_events_again(tmp_path: Path) -> None:
    """A replayed event decodes to what its producer said, its producer id and sequence included."""
    filled(tmp_path, [prediction(number) for number in range(3)])
    sink = MemorySink()
    Replay(Spool(tmp_path), sink).run()
    found = [(r["prediction_id"], r["producer_id"], r["sequence"]) for r in sink.records("predictions")]
    assert found == [("p0", "service", 0), ("p1", "service", 1), ("p2", "service", 2)]
