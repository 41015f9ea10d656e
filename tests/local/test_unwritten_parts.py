"""A disk that fills while the engine writes: it takes a part for written all of whose files are empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from http_answers import ask
from test_door_process import started

from hindcast.local.clickhouse_door.unwritten_parts import UnwrittenParts, unwritten_parts
from hindcast.local.program import Running

_MIB = 2**20


@pytest.fixture
def door_and_program(door_directory: Path) -> Iterator[list[tuple[str, Running]]]:
    """A door whose table has been merged once; whoever starts another appends it."""
    url, program = started(door_directory)
    lives = [(url, program)]
    try:
        ask(url, "CREATE TABLE t (a Int64) ENGINE = MergeTree ORDER BY a")
        ask(url, "SYSTEM STOP MERGES t")
        for start in (0, 100, 200):
            ask(url, f"INSERT INTO t SELECT number + {start} FROM numbers(100)")
        ask(url, "SYSTEM START MERGES t")
        assert ask(url, "OPTIMIZE TABLE t FINAL").status == 200
        yield lives
    finally:
        lives[-1][1].stop()


def _empty_the_merged_part(url: str) -> str:
    """As the engine leaves it where every write found the disk full; returns its name."""
    name, path = ask(url, "SELECT name, path FROM system.parts WHERE table = 't' AND active").text.split()
    for file in Path(path).iterdir():
        file.write_bytes(b"")
    return name


def test_a_merge_that_could_not_be_written_costs_nothing(
    door_directory: Path, door_and_program: list[tuple[str, Running]]
) -> None:
    """The next door puts the empty part aside and takes back what was merged."""
    url, program = door_and_program[0]
    assert unwritten_parts(door_directory / "data") == []
    name = _empty_the_merged_part(url)
    assert unwritten_parts(door_directory / "data") == [name]
    program.kill()
    door_and_program.append(started(door_directory))
    again = door_and_program[1][0]
    assert ask(again, "SELECT count(), sum(a) FROM t").text.split() == ["300", str(sum(range(300)))]
    assert unwritten_parts(door_directory / "data") == []


def test_the_engine_begins_nothing_with_little_room_left(door_and_program: list[tuple[str, Running]]) -> None:
    """What it does not begin cannot be written by half."""
    url = door_and_program[0][0]
    assert ask(url, "SELECT name, keep_free_space FROM system.disks").text.split() == [
        "default",
        str(256 * _MIB),
    ]


class Disk:
    """How much room there is, and what time it is."""

    free, time = 1000 * _MIB, 0.0


def _part(data: Path, name: str, checksums: bytes) -> None:
    part = data / "store" / "abc" / "abcdef" / name
    part.mkdir(parents=True)
    (part / "checksums.txt").write_bytes(checksums)


def test_it_looks_while_the_disk_is_full_and_for_a_minute_after(tmp_path: Path) -> None:
    """Not at other times, as it reads every part's directory; what is under way, or put aside, is passed over."""
    disk = Disk()
    parts = UnwrittenParts(tmp_path, free=lambda _: disk.free, clock=lambda: disk.time)
    _part(tmp_path, "tmp_merge_all_1_2_1", b"")
    _part(tmp_path, "delete_tmp_all_3_3_0", b"")
    _part(tmp_path, "all_1_1_0", b"checksums format version: 4")
    (tmp_path / "store" / "abc" / "abcdef" / "detached" / "broken-on-start_all_5_5_0").mkdir(parents=True)
    disk.free = 0
    assert parts.look() == ""
    _part(tmp_path, "all_1_2_1", b"")
    disk.free, disk.time = 1000 * _MIB, 61.0
    assert parts.look() == "", "there has been room for more than a minute"
    disk.free = 10 * _MIB
    assert "all_1_2_1 could not be written" in parts.look()
    disk.free, disk.time = 1000 * _MIB, 100.0
    assert "all_1_2_1 could not be written" in parts.look()
