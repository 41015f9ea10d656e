"""What lies in a spool's directory, without changing anything there: how much, whose, and whether it is sound."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from producers.errors import ContractError
from producers.spool.container import Blocks, reading
from producers.spool.descriptors import is_held
from producers.spool.names import entries, parsed
from producers.spool.segment import TORN, WHOLE, header_of, intact

OTHER = "other"
Check = Callable[[bytes], object]
"""Raises ContractError for a value that cannot be decoded."""


@dataclass
class Entry:
    """One entry of the directory.

    Attributes:
        name: its name.
        kind: ``segment``, ``refused`` or ``damaged`` by its name; ``other``: none of ours.
        began: when it was begun, µs since 1970; None of what is none of ours.
        bytes: its size.
        messages: how many it says that it holds; after `read_through`, how many are intact.
        held: whether a living process writes or delivers it.
        torn: bytes of a last append that did not return; 0 while it is held, when there may be one under way.
        damaged_blocks: blocks with something wrong in them; `look` sees only what stands around the records.
        damaged_bytes: bytes that cannot be had.
        undecodable: intact messages that no shipped schema decodes; `look` sees none.
        problem: why it is passed over, in words; empty when it is not.
    """

    name: str
    kind: str
    began: int | None
    bytes: int = 0
    messages: int = 0
    held: bool = False
    torn: int = 0
    damaged_blocks: int = 0
    damaged_bytes: int = 0
    undecodable: int = 0
    problem: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether everything that was kept in it can be sent. Of what is none of ours, nothing is asked."""
        if self.kind == OTHER:
            return True
        return not (self.damaged_blocks or self.undecodable or self.problem)


def look(directory: Path) -> Iterator[Entry]:
    """Every entry in the order of names, by what stands around the records: quick.

    Raises:
        SpoolUnavailable: the directory cannot be read.
    """
    return _entries(directory, None)


def read_through(directory: Path, check: Check) -> Iterator[Entry]:
    """Every entry in the order of names, with each checksum and each message looked at.

    Raises:
        SpoolUnavailable: the directory cannot be read.
    """
    return _entries(directory, check)


def _entries(directory: Path, check: Check | None) -> Iterator[Entry]:
    for name in sorted(entries(directory)):
        # what is not there any more was delivered just now
        with contextlib.suppress(FileNotFoundError):
            yield _entry(directory / name, check)


def _entry(path: Path, check: Check | None) -> Entry:
    name = parsed(path.name)
    entry = Entry(path.name, name.kind if name else OTHER, name.began if name else None)
    try:
        found = path.lstat()
        entry.bytes = found.st_size
        if name is None:
            entry.problem = "not named as a segment"
        elif not stat.S_ISREG(found.st_mode):
            entry.problem = "no regular file"
        else:
            entry.held = is_held(path)
            _look_inside(path, entry, check)
    except FileNotFoundError:
        raise
    except OSError as error:
        entry.problem = f"cannot be read: {error.strerror}"
    return entry


def _look_inside(path: Path, entry: Entry, check: Check | None) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        header = header_of(descriptor)
        if header == WHOLE:
            _count(descriptor, entry, check)
        elif header == TORN:
            entry.torn = entry.bytes
        else:
            entry.problem = "not a segment of this version"
    finally:
        os.close(descriptor)
    if entry.held:
        entry.torn = 0


def _count(descriptor: int, entry: Entry, check: Check | None) -> None:
    blocks = Blocks(reading(descriptor), entry.bytes)
    for block in blocks:
        if check is None:
            entry.messages += block.count
            continue
        for message in intact(block, blocks.records(block), blocks.damage):
            entry.messages += 1
            entry.undecodable += not _decodes(check, message.value)
    entry.torn = blocks.damage.torn
    entry.damaged_blocks, entry.damaged_bytes = blocks.damage.blocks, blocks.damage.bytes


def _decodes(check: Check, value: bytes) -> bool:
    try:
        check(value)
    except ContractError:
        return False
    return True
