"""Ctrl-C ends long work, also where the exception it raises is lost."""

from __future__ import annotations

import subprocess
import sys

import pytest

# a finalizer's exception is printed and forgotten, whatever it is
LOST = """
import os, signal
from hindcast.interruption import Interruption

class Object:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        for _ in range(1000):
            pass

interruption = Interruption()
interruption.raise_on_signals()
Object()
print("went on", flush=True)
interruption.check()
print("never", flush=True)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_lost_interrupt_is_raised_again(name: str) -> None:
    """What a finalizer swallowed ends the work at its next step."""
    done = subprocess.run(
        [sys.executable, "-c", LOST.format(name=name)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "went on\n"
    assert "Exception ignored in" in done.stderr
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    assert done.returncode != 0


def test_what_is_ignored_stays_ignored() -> None:
    """A command that was started with nohup, or in the background of a script, is not ended by what its parent had ignored."""
    code = (
        "import os, signal; from hindcast.interruption import Interruption\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "Interruption().raise_on_signals()\n"
        "os.kill(os.getpid(), signal.SIGHUP)\n"
        "print('on')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.returncode) == ("on\n", 0)
