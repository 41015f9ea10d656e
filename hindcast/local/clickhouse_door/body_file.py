"""Where an insert's body waits for the engine, which reads its data from a path."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from starlette.requests import Request

# bodies up to so many bytes are kept in memory: the recorder's have a quarter of it
_IN_MEMORY = 128 * 1024 * 1024


@contextmanager
def body_file(request: Request, incoming: Path) -> Iterator[tuple[IO[bytes], str]]:
    """A file for the request's body, and the path that opens it in this process.

    It is in memory where its size is said and moderate: a file system's work on a file costs more than its bytes.
    """
    size = request.headers.get("content-length", "")
    if hasattr(os, "memfd_create") and size.isdecimal() and int(size) <= _IN_MEMORY:
        with os.fdopen(os.memfd_create("body"), "wb") as spool:
            yield spool, f"/proc/self/fd/{spool.fileno()}"
    else:
        with tempfile.NamedTemporaryFile(dir=incoming, prefix="body-") as spool:
            yield spool, spool.name
