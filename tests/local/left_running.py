"""Who still runs in a directory: after an end it must be nobody."""

from __future__ import annotations

import os
from pathlib import Path

import psutil


def processes_of(directory: Path) -> set[int]:
    """Every process whose command line names this directory or whose working directory lies in it."""
    found = set()
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(directory) in line or str(process.info["cwd"] or "").startswith(str(directory)):
            found.add(process.pid)
    return found - {os.getpid()}
