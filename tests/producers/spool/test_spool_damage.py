"""What a crash cuts off and what a disk damages: the rest comes back, and what does not is counted."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spooled_messages import delivered, messages, numbers, segments

from producers.avro_writer import whole_bytes
from producers.spool import Segment, Spool, Spooled
from producers.spool.container import HEADER, HEADER_BYTES, MARKER, Damage

HOUR = 3_600_000_000
batches = st.lists(
    st.lists(
        st.builds(
            Spooled,
            st.sampled_from(["predictions", "labels"]),
            st.binary(max_size=40),
            st.binary(max_size=300),
            st.text(max_size=5),
            st.sampled_from(["", "production"]),
            st.integers(-(2**40), 2**40).map(lambda hour: hour * HOUR // 1000),
        ),
        min_size=1,
        max_size=5,
    ),
    min_size=1,
    max_size=8,
)


class Written:
    """A closed spool, and where each append ended: file, size before, size after, messages."""

    def __init__(self, directory: Path, said: list[list[Spooled]], segment_bytes: int) -> None:
        self.directory = directory
        self.appends: list[tuple[Path, int, int, list[Spooled]]] = []
        spool = Spool(directory, segment_bytes=segment_bytes, sync="never")
        for batch in said:
            before = {path: path.stat().st_size for path in segments(directory)}
            spool.append(batch)
            path = segments(directory)[-1]
            self.appends.append((path, before.get(path, HEADER_BYTES), path.stat().st_size, batch))
        spool.close()

    def claimed(self) -> tuple[list[Spooled], Damage]:
        """All messages that come back, and what is said to be damaged in all."""
        spool, found, damage = Spool(self.directory), [], Damage()
        while (segment := spool.claim()) is not None:
            found += segment.messages()
            damage.blocks += segment.damaged.blocks
            damage.bytes += segment.damaged.bytes
            damage.torn += segment.damaged.torn
            segment.done()
        return found, damage


@contextmanager
def written(said: list[list[Spooled]], segment_bytes: int) -> Iterator[Written]:
    """A spool of its own for each example."""
    with tempfile.TemporaryDirectory() as directory:
        yield Written(Path(directory), said, segment_bytes)


@given(said=batches, segment_bytes=st.integers(1, 3_000), data=st.data())
def test_whatever_byte_a_file_is_cut_at_every_append_before_it_is_there(
    said: list[list[Spooled]], segment_bytes: int, data: st.DataObject
) -> None:
    """And nothing else: the append that was cut is not there in part, and a cut is not called damage."""
    with written(said, segment_bytes) as spool:
        path = data.draw(st.sampled_from(segments(spool.directory)))
        place = data.draw(st.integers(0, path.stat().st_size))
        os.truncate(path, place)
        whole = [batch for file, _, end, batch in spool.appends if file != path or end <= place]
        last_whole = max(
            [end for file, _, end, _ in spool.appends if file == path and end <= place], default=0
        )
        found, damage = spool.claimed()
        assert found == [message for batch in whole for message in batch]
        assert (damage.blocks, damage.bytes) == (0, 0)
        # of a header that was cut nothing is counted
        assert damage.torn == place - max(last_whole, min(place, HEADER_BYTES))
        assert list(spool.directory.iterdir()) == []


@given(said=batches, segment_bytes=st.integers(1, 3_000), data=st.data())
def test_a_damaged_byte_costs_its_own_block_at_most(
    said: list[list[Spooled]], segment_bytes: int, data: st.DataObject
) -> None:
    """Every other append comes back whole, nothing comes back changed, and the damage is said, wherever behind the header it is."""
    numbered = itertools.count()
    said = [[replace(message, key=b"%d" % next(numbered)) for message in batch] for batch in said]
    with written(said, segment_bytes) as spool:
        path = data.draw(st.sampled_from(segments(spool.directory)))
        place = data.draw(st.integers(HEADER_BYTES, path.stat().st_size - 1))
        content = bytearray(path.read_bytes())
        content[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        found, damage = spool.claimed()
        assert damage.blocks or damage.torn
        everything = [message for batch in said for message in batch]
        [hurt] = [b for file, start, end, b in spool.appends if file == path and start <= place < end]
        assert set(everything) - set(hurt) <= set(found)
        assert found == [message for message in everything if message in set(found)]


def a_segment(directory: Path) -> bytearray:
    """The bytes of a segment with three blocks of ten messages each."""
    spool = Spool(directory)
    for number in range(0, 30, 10):
        spool.append(messages(number, number + 10))
    spool.close()
    return bytearray(segments(directory)[0].read_bytes())


def blocks(content: bytearray) -> list[int]:
    """Where each block of these bytes begins, and the end."""
    marker = bytes(content[len(HEADER) : HEADER_BYTES])
    return [place + MARKER for place in range(len(content)) if content[place : place + MARKER] == marker]


def put(directory: Path, content: bytes) -> Segment:
    """The only segment, with these bytes, claimed."""
    segments(directory)[0].write_bytes(content)
    segment = Spool(directory).claim()
    assert segment is not None
    return segment


def test_a_damaged_value_costs_one_message(tmp_path: Path) -> None:
    """The others of its block are found behind it; the file is kept beside when all else is done."""
    content = a_segment(tmp_path)
    content[blocks(content)[1] + 200] ^= 1
    segment = put(tmp_path, content)
    found = numbers(list(segment.messages()))
    [lost] = set(range(30)) - set(found)
    assert 10 <= lost < 20
    assert found == sorted(found)
    assert segment.damaged.blocks == 1
    assert 0 < segment.damaged.bytes < 100
    segment.done()
    [kept] = tmp_path.iterdir()
    assert kept.name.startswith("damaged-")
    assert kept.read_bytes() == content
    assert Spool(tmp_path).claim() is None


def test_a_block_whose_size_swallows_the_next_costs_no_other(tmp_path: Path) -> None:
    """The marker inside gives it away."""
    content = a_segment(tmp_path)
    first, second, third, _ = blocks(content)
    head = content[first : first + 3]
    size = (head[1] & 0x7F) | head[2] << 7
    swallowing = size + 2 * (third - second)
    content[first + 1 : first + 3] = bytes([swallowing & 0x7F | 0x80, swallowing >> 7])
    segment = put(tmp_path, content)
    assert numbers(list(segment.messages())) == list(range(30))
    assert (segment.damaged.blocks, segment.damaged.bytes) == (1, 0)


def test_a_hole_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    """Zeros where a block and a half were, as after a power cut: counted, and the next block is found."""
    content = a_segment(tmp_path)
    first, second, third, end = blocks(content)
    content[first : second + 100] = bytes(second + 100 - first)
    segment = put(tmp_path, content)
    assert numbers(list(segment.messages())) == list(range(20, 30))
    assert (segment.damaged.blocks, segment.damaged.bytes) == (1, third - first)
    assert end == len(content)


@pytest.mark.parametrize("size", [2**62, 2**70, 0])
def test_a_size_beyond_all_bounds_is_no_block(tmp_path: Path, size: int) -> None:
    """No memory is asked for by it."""
    content = a_segment(tmp_path)
    first = blocks(content)[0]
    written_size = whole_bytes(size)
    content[first + 1 : first + 1 + len(written_size)] = written_size
    segment = put(tmp_path, content)
    assert numbers(list(segment.messages())) == list(range(10, 30))
    assert segment.damaged.blocks == 1


def test_a_damaged_marker_of_the_header_keeps_the_file(tmp_path: Path) -> None:
    """No block can be told any more: nothing is delivered, and nothing is deleted."""
    content = a_segment(tmp_path)
    content[len(HEADER)] ^= 1
    segment = put(tmp_path, content)
    list(segment.messages())
    segment.done()
    [kept] = tmp_path.iterdir()
    assert kept.name.startswith("damaged-")
    assert kept.read_bytes() == content


def test_the_only_block_of_a_file_survives_its_marker(tmp_path: Path) -> None:
    """What ends where the file ends is read, whatever stands there."""
    spool = Spool(tmp_path)
    spool.append(messages(0, 5))
    spool.close()
    content = bytearray(segments(tmp_path)[0].read_bytes())
    content[-1] ^= 1
    segment = put(tmp_path, content)
    assert numbers(list(segment.messages())) == [0, 1, 2, 3, 4]
    assert segment.damaged == Damage(blocks=1, bytes=MARKER)


def test_a_file_that_another_cut_under_the_writer_is_left(tmp_path: Path) -> None:
    """The next append begins another segment; what is whole in the first comes back."""
    spool = Spool(tmp_path)
    spool.append(messages(0, 5))
    spool.append(messages(5, 10))
    [path] = segments(tmp_path)
    os.truncate(path, path.stat().st_size - 1)
    spool.append(messages(10, 15))
    assert numbers(delivered(spool)) == [*range(5), *range(10, 15)]
