"""`python -m hindcast.local.supervise LOCK SETTINGS`: supervisord, holding a lock for exactly as long as it lives.

Exit code 75 says that another supervisor holds the lock.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time

from supervisor.supervisord import main as supervisord

ALREADY_RUNNING = 75
# supervisord closes every descriptor from 5 on at its start.
_KEPT_DESCRIPTOR = 4
_ATTEMPTS = 10
_BETWEEN_S = 0.03


def main(lock: str, settings: str) -> int:
    """Take the lock, then watch over the programs of the settings file until told to end."""
    held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.dup2(held, _KEPT_DESCRIPTOR, inheritable=False)
    if held != _KEPT_DESCRIPTOR:
        os.close(held)
    if not _locked():
        return ALREADY_RUNNING
    supervisord(["-n", "-c", settings])
    return 0


def _locked() -> bool:
    # More than once, because whoever looks whether the lock is held holds it for a moment.
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(_KEPT_DESCRIPTOR, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_BETWEEN_S)
        else:
            return True
    return False


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
