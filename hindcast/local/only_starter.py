"""One start at a time in one directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hindcast.local.directories import explain
from producers.errors import ConfigError


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
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ConfigError(f"another process starts a stack in {directory} at this moment") from None
    finally:
        os.close(held)
