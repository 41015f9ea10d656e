"""What files in a spool's directory are called, so that their names order them, and what they are by their names.

``20260115T094233123456Z-<owner>.avro`` is a segment, begun at that moment (UTC) by that owner. With ``refused-`` before it, it
holds messages that Kafka will never take; with ``damaged-``, it was delivered as far as it could be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from producers.errors import SpoolUnavailable

SEGMENT, REFUSED, DAMAGED = "segment", "refused", "damaged"
OWNER = re.compile(r"[0-9A-Za-z-]{1,64}")
_NAME = re.compile(rf"(?:({REFUSED}|{DAMAGED})-)?(\d{{8}}T\d{{12}}Z)-({OWNER.pattern})\.avro")
_BEGAN = "%Y%m%dT%H%M%S%fZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Name:
    """A name taken apart.

    Attributes:
        kind: SEGMENT, REFUSED or DAMAGED.
        began: when the file was begun, µs since 1970.
        owner: who began it.
    """

    kind: str
    began: int
    owner: str

    def __str__(self) -> str:
        began = _EPOCH + timedelta(microseconds=self.began)
        kind = "" if self.kind == SEGMENT else f"{self.kind}-"
        return f"{kind}{began:{_BEGAN}}-{self.owner}.avro"


def parsed(name: str) -> Name | None:
    """A file's name taken apart, None if it is none of ours."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        began = datetime.strptime(found[2], _BEGAN).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Name(found[1] or SEGMENT, (began - _EPOCH) // timedelta(microseconds=1), found[3])


def paths(directory: Path, kind: str) -> Iterator[Path]:
    """Every entry that is named as of this kind, the oldest first; what it is, is not looked at.

    Raises:
        SpoolUnavailable: the directory cannot be read. One that is not there is empty.
    """
    for name in sorted(entries(directory)):
        found = parsed(name)
        if found is not None and found.kind == kind:
            yield directory / name


def entries(directory: Path) -> list[str]:
    """The name of everything in the directory.

    Raises:
        SpoolUnavailable: the directory cannot be read. One that is not there is empty.
    """
    try:
        return [path.name for path in directory.iterdir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SpoolUnavailable(f"the spool {directory} cannot be read: {error.strerror}") from None


def bytes_of(directory: Path) -> int:
    """What all files of ours take, of every kind.

    Raises:
        SpoolUnavailable: the directory cannot be read.
    """
    total = 0
    for name in entries(directory):
        if parsed(name) is not None:
            try:
                total += (directory / name).lstat().st_size
            except OSError:
                continue  # delivered and deleted by another process just now
    return total
