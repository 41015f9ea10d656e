"""Run a program that never outlives the process that started it: `python -m hindcast.local.leash program args…`.

A supervisor that is killed with -9 cannot stop its children. On Linux the kernel does it (PR_SET_PDEATHSIG, which
survives `exec`, so the program itself is the child); elsewhere this process stays as a parent that watches its own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from types import FrameType

_PR_SET_PDEATHSIG = 1
_ORPHAN_CHECK_S = 1.0


def leashed(command: list[str]) -> list[str]:
    """The command line that runs `command` on a leash held by whoever starts it."""
    return [sys.executable, "-m", "hindcast.local.leash", str(os.getpid()), *command]


def _exec_with_parent_death_signal(command: list[str], parent: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    # The parent may have died before the call above: then nobody would send the signal.
    if os.getppid() != parent:
        raise SystemExit("the process that wanted this one is gone")
    os.execvp(command[0], command)  # noqa: S606 - replacing this process by the program is the purpose


def _watch(command: list[str], parent: int) -> int:
    child = subprocess.Popen(command)

    def forward(number: int, frame: FrameType | None) -> None:
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)
    while True:
        try:
            return child.wait(timeout=_ORPHAN_CHECK_S)
        except subprocess.TimeoutExpired:
            if os.getppid() != parent:
                child.kill()


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code where this process stays its parent."""
    parent, command = int(arguments[0]), arguments[1:]
    # supervisord starts children from a command line it was given earlier: 0 means "whoever started me".
    parent = parent or os.getppid()
    try:
        if sys.platform == "linux":
            _exec_with_parent_death_signal(command, parent)
        return _watch(command, parent)
    except OSError as problem:
        sys.stderr.write(f"cannot run {command[0]}: {problem.strerror}\n")
        return 127


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
