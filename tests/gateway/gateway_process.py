"""`hindcast gateway` as a process of its own, as it is started for real."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from waiting import eventually

ROOT = Path(__file__).parents[2]
_LISTENS = re.compile(r"listening on (https?://\S+:(\d+)), ")


@dataclass
class GatewayProcess:
    """A process that listens."""

    process: subprocess.Popen[bytes]
    url: str
    port: int
    log: Path

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(90)


def environment(**more: str) -> dict[str, str]:
    """This process's environment without Hindcast's variables, and with this checkout to import from."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HINDCAST_")}
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**plain, "PYTHONPATH": paths, **more}


@contextmanager
def gateway_process(directory: Path, *options: str, variables: Mapping[str, str]) -> Iterator[GatewayProcess]:
    """A gateway on a free port, until the context ends."""
    log = directory / "gateway.log"
    command = [sys.executable, "-u", "-m", "hindcast", "gateway", "--port", "0", *options]
    with log.open("wb") as written:
        process = subprocess.Popen(
            command, cwd=directory, env=environment(**variables), stdout=written, stderr=subprocess.STDOUT
        )
    try:
        found = eventually(
            lambda: _LISTENS.search(log.read_text()) or process.poll() is not None, saying="it listens"
        )
        assert isinstance(found, re.Match), log.read_text()
        yield GatewayProcess(process, found[1], int(found[2]), log)
    finally:
        process.kill()
        process.wait()
