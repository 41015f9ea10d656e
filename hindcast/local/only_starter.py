"""One start at a time in one directory."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hindcast.local.directories import explain
from hindcast.local.layout import Layout
from producers.errors import ConfigError

_ATTEMPTS = 10
_BETWEEN_S = 0.03


@contextmanager
def only_starter(directory: Path) -> Iterator[None]:
    """Keep others from starting a stack in the directory, or clearing it, for as long as the context; a crash frees it too.

    Raises:
        ConfigError: another process does so now, or the directory cannot be read.
    """
    try:
        # the directory itself is locked: there is no file that could be cleared away
        held = os.open(directory, os.O_RDONLY)
    except OSError as problem:
        raise ConfigError(explain(directory, problem)) from None
    try:
        if not _locked(held):
            raise ConfigError(f"another process starts a stack in {directory} at this moment")
        yield
    finally:
        os.close(held)


def is_starting(layout: Layout) -> bool:
    """Whether a process starts a stack in the directory now.

    Raises:
        ConfigError: the directory cannot be read.
    """
    try:
        held = os.open(layout.directory, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as problem:
        raise ConfigError(explain(layout.directory, problem)) from None
    try:
        fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        # whoever clears the directory of a stack holds it as well, and leaves no mark of one
        return layout.lock.exists()
    else:
        return False
    finally:
        os.close(held)


def _locked(held: int) -> bool:
    # More than once, because whoever looks whether a start is under way holds the directory for a moment.
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_BETWEEN_S)
        else:
            return True
    return False
