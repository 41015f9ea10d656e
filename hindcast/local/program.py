"""A server program: its command line, and running it for as long as this process lives."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hindcast.local.directories import explain
from hindcast.local.leash import leashed
from producers.errors import ConfigError

_POLL_S = 0.05
_STOP_S = 20.0


@dataclass(frozen=True)
class Program:
    """What to run: the command line, additions to the environment, and where its output goes."""

    name: str
    command: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)


class Running:
    """A started program on a leash: it ends at the latest when this process does."""

    def __init__(self, program: Program) -> None:
        self.program = program
        try:
            with program.log.open("ab") as log:
                self._process = subprocess.Popen(
                    leashed(list(program.command)),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **program.environment},
                    # Ctrl-C at a terminal reaches this process only, which then stops its programs in order.
                    start_new_session=True,
                )
        except OSError as problem:
            raise ConfigError(explain(program.log, problem)) from None

    @property
    def pid(self) -> int:
        """Process id of the program itself (the leash became it)."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the program still runs."""
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], *, within: float) -> None:
        """Return once `ready()` is true.

        Raises:
            ConfigError: the program ended before, or was not ready in `within` seconds; says its last words.
        """
        limit = time.monotonic() + within
        while not ready():
            if not self.alive():
                raise ConfigError(f"{self.program.name} stopped at its start: {last_words(self.program.log)}")
            if time.monotonic() > limit:
                self.kill()
                raise ConfigError(
                    f"{self.program.name} was not ready after {within:.0f} s: {last_words(self.program.log)}"
                )
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Ask it to end, insist after a while, and return when it is gone."""
        if self.alive():
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=_STOP_S)
        self.kill()

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        if self.alive():
            self._process.kill()
        self._process.wait()


def last_words(log: Path) -> str:
    """The line of a log that most likely says why its program ended; where to read on."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()[-60:]]
    except OSError:
        return "it wrote no log"
    telling = [
        line for line in lines if "ERROR" in line or "FATAL" in line or "Error" in line or "error" in line
    ]
    chosen = (telling or [line for line in lines if line] or ["it said nothing"])[-1]
    return f"{chosen[:240]} (see {log})"
