"""Headings say what the whole message says, and refuse what is no message of sketches."""

from __future__ import annotations

import numpy as np
import pytest
from flushes import FIRST_DAY, contract, ordinary

from producers.codec import decode, encode
from producers.errors import Undecodable, UnknownSchema
from stream_processors.monitor.headings import (
    DeltaHeading,
    ModelVersion,
    Source,
    StretchHeading,
    read_heading,
)

MICROS = 1_000_000


def _delta(**more: object) -> bytes:
    place = {"topic_id": "t", "source_partition": 3, "first_offset": 10, "next_offset": 610}
    return encode(
        "sketch", ordinary(np.random.default_rng(0), FIRST_DAY).record(contract(), **{**place, **more})
    )


def _stretch(**more: object) -> bytes:
    fields = {
        "topic_id": "t",
        "source_partition": 1,
        "first_offset": 5,
        "next_offset": 9,
        "events": 4,
        "dead_letters": 0,
        "max_event_time": FIRST_DAY,
        "newest_append_time": None,
        "reached_end": True,
        "profiler_id": "profiler-0",
    }
    return encode("stretch", {**fields, **more})


def test_a_delta_s_heading_is_what_the_whole_message_says() -> None:
    """The first fields, decoded alone, are those of the full record."""
    value = _delta(slice="origin=JFK", served=False)
    whole = decode(value)[1]
    heading = read_heading(value)
    assert isinstance(heading, DeltaHeading)
    assert heading.of == ModelVersion("delays", "production", "1", False)
    assert (heading.slice, heading.source, heading.next_offset) == (
        whole["slice"],
        Source("t", 3),
        whole["next_offset"],
    )
    assert heading.window_start == whole["window_start"].timestamp() * MICROS
    assert heading.window_end == whole["window_end"].timestamp() * MICROS


def test_a_stretch_s_heading_holds_its_times_in_microseconds() -> None:
    """A stretch tells its source, its span and its greatest event time; none stays none."""
    assert read_heading(_stretch()) == StretchHeading(
        Source("t", 1), 5, 9, round(FIRST_DAY.timestamp() * MICROS), True
    )
    heading = read_heading(_stretch(max_event_time=None))
    assert isinstance(heading, StretchHeading)
    assert heading.max_event_time is None


def test_totals_and_references_announce_nothing() -> None:
    """Only deltas change windows: a total says the same events again, a reference is of no stream."""
    assert read_heading(_delta(kind="total")) is None
    assert read_heading(_delta(kind="reference")) is None


@pytest.mark.parametrize("value", [b"", b"\x00\x01", b"hello world", _delta()[:30]])
def test_damaged_bytes_are_undecodable(value: bytes) -> None:
    """What has no frame, or ends within its heading, is refused and not guessed at."""
    with pytest.raises((Undecodable, UnknownSchema)):
        read_heading(value)


def test_another_topic_s_message_does_not_belong() -> None:
    """A decodable message of another schema is refused."""
    label = {"label_id": "l", "prediction_id": "p", "model": "m", "reported_at": FIRST_DAY}
    with pytest.raises(Undecodable, match=r"label\.v1 does not belong"):
        read_heading(encode("label", label))
