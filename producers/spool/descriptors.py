"""The open files of one spool, locked while they are open.

``flock`` belongs to what `fork` shares: a lock lives until the last copy of its descriptor is closed, or until any one of
them unlocks. So whoever locked a file unlocks it, and a forked child closes its copies without unlocking.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from pathlib import Path

# a link leads elsewhere, and a pipe of this name would wait for its writer
_ALWAYS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
_PRIVATE = 0o600  # features are inside


class Descriptors:
    """Opens, locks and closes files, and knows which are open."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[int, int]] = {}

    def create(self, path: Path) -> int | None:
        """A new locked file to append to; None if another process was quicker to look at it: take another name.

        Raises:
            FileExistsError: the name is taken.
            OSError: whatever the system says.
        """
        try:
            return self._locked(path, _CREATE)
        except FileExistsError:
            raise
        except OSError:
            # a file system without locks would else be filled with empty files
            with contextlib.suppress(OSError):
                path.unlink()
            raise

    def lock(self, path: Path) -> int | None:
        """A regular file opened to be read and locked; None if it is another thing, gone, held or not ours to read."""
        try:
            return self._locked(path, os.O_RDONLY)
        except OSError:
            return None

    def close(self, descriptor: int) -> None:
        """Unlock and close, though children may still have a copy; nothing if it is not open here."""
        if descriptor not in self._open:
            return
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        self._forget(descriptor)

    def close_inherited(self) -> None:
        """In a forked child: close what the parent had open, and leave its locks to it."""
        for descriptor, file in list(self._open.items()):
            with contextlib.suppress(OSError):
                found = os.fstat(descriptor)
                # the fork may have come while the parent closed it and opened something else under its number
                if (found.st_dev, found.st_ino) == file:
                    os.close(descriptor)
        self._open.clear()

    def _locked(self, path: Path, flags: int) -> int | None:
        descriptor = os.open(path, flags | _ALWAYS, _PRIVATE)
        found = os.fstat(descriptor)
        self._open[descriptor] = (found.st_dev, found.st_ino)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            there = path.lstat()  # who held it before may have deleted it
            if stat.S_ISREG(found.st_mode) and (there.st_dev, there.st_ino) == (found.st_dev, found.st_ino):
                return descriptor
        except (BlockingIOError, FileNotFoundError):
            pass
        except OSError:
            self._forget(descriptor)
            raise
        self._forget(descriptor)
        return None

    def _forget(self, descriptor: int) -> None:
        self._open.pop(descriptor, None)
        with contextlib.suppress(OSError):
            os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether a living process writes or delivers this file.

    Raises:
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | _ALWAYS)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
