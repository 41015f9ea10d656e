"""What other processes do with a spool in the tests; they report on their standard output, a line each."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import resource
import signal
import sys
from pathlib import Path

from spooled_messages import delivered, messages, numbers, segments

from producers.spool import Spool, SpoolFull


def say(*words: object) -> None:
    """A line, written at once."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def append_for_ever(directory: str, seed: int) -> None:
    """Append batches of numbered messages, and say after each how many there are by now."""
    chance = random.Random(seed)
    spool = Spool(Path(directory), segment_bytes=chance.choice([1_000, 20_000]))
    count = 0
    while True:
        more = chance.randint(1, 40)
        spool.append(messages(count, count + more))
        count += more
        say(count)


def hold(directory: str) -> None:
    """Append ten messages and keep the segment open until a line comes in."""
    spool = Spool(Path(directory))
    spool.append(messages(0, 10))
    say("held")
    sys.stdin.readline()


def share(directory: str, first: int, seed: int) -> None:
    """Append fifty segments and deliver whatever there is, saying each number delivered and each segment found in other hands."""
    chance = random.Random(seed)
    place = Path(directory)
    spool = Spool(place / "spool", segment_bytes=1)
    for number in range(first, first + 50):
        spool.append(messages(number, number + 1))
        with contextlib.suppress(ValueError):
            deliver_one(spool, place / "marks", chance)
    while segments(place / "spool"):
        deliver_one(spool, place / "marks", chance)


def deliver_one(spool: Spool, marks: Path, chance: random.Random) -> None:
    """Claim a segment, and mark it for as long as it is ours."""
    segment = spool.claim()
    if segment is None:
        return
    mark = marks / segment.path.name
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        say("twice", segment.path.name)
    found = numbers(list(segment.messages()))
    mark.unlink()
    if chance.random() < 0.3:
        segment.release()
        return
    segment.done()
    for number in found:
        say("delivered", number)


def fill_file(directory: str) -> None:
    """Append under a limit for file sizes until three times the spool is full; say what was kept."""
    # as in `ending_services`
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
    spool = Spool(Path(directory))
    full = 0
    for number in itertools.count():
        try:
            spool.append(messages(number, number + 1))
            say(number)
        except SpoolFull as error:
            say(error)
            full += 1
        if full == 3:
            break


def fill_disk(directory: str) -> None:
    """Fill the disk, six times after a little of it was freed by others and once after a segment was delivered; say how many segments
    there are each time, and at last whether all that was kept came back.
    """
    filler = Path(directory) / "filler"
    filler.write_bytes(bytes(64 * 1024))
    spool = Spool(Path(directory) / "spool", segment_bytes=100_000, sync="always")
    kept = append_until_full(spool, 0)
    for free in range(6):
        os.truncate(filler, 1024 * (56 - 8 * free))
        kept += append_until_full(spool, kept)
    segment = spool.claim()
    assert segment is not None
    back = numbers(list(segment.messages()))
    segment.done()
    kept += append_until_full(spool, kept)
    say("all" if back + numbers(delivered(spool)) == list(range(kept)) else "not all")


def append_until_full(spool: Spool, first: int) -> int:
    """Append numbered messages until there is no room, say so, and return how many were kept."""
    for number in itertools.count(first):
        try:
            spool.append(messages(number, number + 1))
        except SpoolFull as error:
            say(error, len(segments(spool.directory)))
            return number - first
    raise AssertionError("never full")


def fork_and_die(directory: str) -> None:
    """A parent forks while it writes and delivers, and is killed; the child lives on with its own spool until a line comes in."""
    parent = Spool(Path(directory), segment_bytes=1)
    parent.append(messages(0, 1))
    parent.append(messages(1, 2))
    claimed = parent.claim()
    assert claimed is not None
    if os.fork():
        say("parent", os.getpid())
        signal.pause()
    try:
        parent.append(messages(7, 8))
    except RuntimeError as error:
        say("refused", error)
    spool = parent.for_child()
    claimed.release()
    spool.append(messages(2, 3))
    say("child", os.getpid())
    sys.stdin.readline()


def fork_and_close(directory: str) -> None:
    """A parent forks a child that knows nothing of the spool and lives on; the parent closes its spool."""
    spool = Spool(Path(directory), segment_bytes=1)
    spool.append(messages(0, 1))
    spool.append(messages(1, 2))
    assert spool.claim() is not None
    if os.fork() == 0:
        sys.stdin.readline()
        return
    spool.close()
    say("closed")
    signal.pause()
