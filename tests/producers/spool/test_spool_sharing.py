"""A directory that other processes use, and things that are no segments."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest
from spooled_messages import child, delivered, message, messages, numbers, segments

from producers.spool import Spool
from producers.spool.container import HEADER
from producers.spool.descriptors import Descriptors
from producers.spool.names import Name

NOBODY = 65534


@contextmanager
def ended(*children: Popen[str]) -> Iterator[None]:
    """No child is left when the test ends, however it ends."""
    try:
        yield
    finally:
        for one in children:
            one.kill()
            one.wait()
            for pipe in (one.stdin, one.stdout):  # a child of its own ends with its input
                assert pipe is not None
                pipe.close()


def lines(one: Popen[str], count: int) -> list[str]:
    """The next lines that a child says."""
    assert one.stdout is not None
    return [one.stdout.readline().strip() for _ in range(count)]


def test_two_processes_never_hold_one_segment_together(tmp_path: Path) -> None:
    """Three that append and deliver at once: every message is delivered, and no segment is in two hands at a time."""
    (tmp_path / "marks").mkdir()
    children = [child(f"share({str(tmp_path)!r}, {first}, {first})") for first in (0, 50, 100)]
    with ended(*children):
        said = [line for one in children for line in one.communicate(timeout=200)[0].splitlines()]
        assert [one.returncode for one in children] == [0, 0, 0]
    assert [line for line in said if line.startswith("twice")] == []
    assert sorted(int(line.split()[1]) for line in said) == list(range(150))


def test_a_mark_of_two_hands_would_be_seen(tmp_path: Path) -> None:
    """The test above bites: a segment whose mark is there already is reported."""
    (tmp_path / "marks").mkdir()
    spool = Spool(tmp_path / "spool")
    spool.append(messages(200, 201))
    (tmp_path / "marks" / segments(tmp_path / "spool")[0].name).touch()
    spool.close()
    with ended(one := child(f"share({str(tmp_path)!r}, 0, 0)")):
        assert "twice" in one.communicate(timeout=100)[0]


def test_what_a_living_process_holds_is_left_to_it(tmp_path: Path) -> None:
    """Its open segment is nobody else's until the process ends, however it ends."""
    one = child(f"hold({str(tmp_path)!r})")
    with ended(one):
        assert lines(one, 1) == ["held"]
        spool = Spool(tmp_path)
        assert spool.claim() is None
        one.send_signal(signal.SIGKILL)
        one.wait()
        assert numbers(delivered(spool)) == list(range(10))


def test_a_forked_child_neither_holds_nor_frees_what_its_parent_holds(tmp_path: Path) -> None:
    """While both live each keeps its own; when the parent is killed its segments are found, though the child lives on."""
    parent = child(f"fork_and_die({str(tmp_path)!r})")
    with ended(parent):
        said = dict(line.partition(" ")[::2] for line in lines(parent, 3))
        assert said["refused"] == "a forked child uses Spool.for_child()"
        spool = Spool(tmp_path)
        assert spool.claim() is None
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert numbers(delivered(spool)) == [0, 1]
        assert spool.claim() is None
        assert parent.stdin is not None
        parent.stdin.write("\n")
        parent.stdin.close()
        assert parent.stdout is not None
        assert parent.stdout.read() == ""  # the child has ended
        assert numbers(delivered(spool)) == [2]


def test_a_child_that_knows_nothing_of_the_spool_keeps_nothing_from_others(tmp_path: Path) -> None:
    """It has copies of all that its parent had open; what the parent lets go of is free all the same."""
    parent = child(f"fork_and_close({str(tmp_path)!r})")
    with ended(parent):
        assert lines(parent, 1) == ["closed"]
        assert numbers(delivered(Spool(tmp_path))) == [0, 1]


def test_the_parent_goes_on_after_a_fork_of_its_own(tmp_path: Path) -> None:
    """Asked in the same process, `for_child` is another spool beside this one."""
    spool = Spool(tmp_path)
    spool.append(messages(0, 1))
    other = spool.for_child()
    assert other.owner != spool.owner
    assert other.claim() is None
    spool.append(messages(1, 2))
    assert numbers(delivered(spool)) == [0, 1]


def named(moment: int) -> str:
    """A segment's name."""
    return str(Name("segment", moment, "x"))


def test_strange_things_break_nothing_and_stay(tmp_path: Path) -> None:
    """Foreign files, directories, links, pipes and other versions under a segment's name are passed over and never deleted."""
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / named(1)).mkdir()
    (tmp_path / "elsewhere.avro").write_bytes(HEADER + bytes(100))
    (tmp_path / named(2)).symlink_to(tmp_path / "elsewhere.avro")
    (tmp_path / named(3)).symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / named(4))
    (tmp_path / named(5)).write_bytes(b"Obj\x01 of another version" + bytes(2_000))
    (tmp_path / named(6)).write_text("garbage")
    (tmp_path / "\udcff.avro").write_text("no text in its name")
    there = sorted(tmp_path.iterdir())
    spool = Spool(tmp_path)
    spool.append(messages(0, 3))
    assert numbers(delivered(spool)) == [0, 1, 2]
    assert sorted(tmp_path.iterdir()) == there


@pytest.mark.parametrize("size", [0, 1, 100, len(HEADER), len(HEADER) + 15])
def test_what_a_crash_left_of_a_first_append_is_a_segment_without_messages(tmp_path: Path, size: int) -> None:
    """It held nothing that was kept, so it is delivered at once, and gone."""
    (tmp_path / named(1)).write_bytes((HEADER + bytes(16))[:size])
    spool = Spool(tmp_path)
    assert delivered(spool) == []
    assert list(tmp_path.iterdir()) == []


def test_what_may_not_be_read_is_passed_over() -> None:
    """Another user's segment: the rest is delivered."""
    if os.geteuid() != 0:
        pytest.skip("only the superuser can give a file away")
    # not below pytest's own directories, which are for one user alone
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        theirs = Spool(directory)
        theirs.append(messages(0, 1))
        theirs.close()
        directory.chmod(0o777)
        os.seteuid(NOBODY)
        try:
            spool = Spool(directory)
            spool.append(messages(1, 2))
            assert numbers(delivered(spool)) == [1]
        finally:
            os.seteuid(0)
        assert numbers(delivered(Spool(directory))) == [0]


def test_a_segment_deleted_by_others_is_no_trouble(tmp_path: Path) -> None:
    """It was read to its end, and there is nothing left to delete."""
    spool = Spool(tmp_path)
    spool.append([message(0)])
    segment = spool.claim()
    assert segment is not None
    segment.path.unlink()
    assert numbers(list(segment.messages())) == [0]
    segment.done()
    assert spool.claim() is None


def test_whoever_waited_for_a_deleted_file_does_not_get_it(tmp_path: Path) -> None:
    """A descriptor opened before the file was delivered and deleted locks something that is not there any more."""
    path = tmp_path / named(1)
    first, second = Descriptors(), Descriptors()
    held = first.create(path)
    assert held is not None
    assert second.lock(path) is None
    path.unlink()
    path.write_text("another one of this name")
    assert second.lock(path) is not None
    assert first.lock(path) is None
