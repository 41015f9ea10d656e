"""A real server that runs a service of the tests, asked over HTTP and ended by a signal."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waiting import eventually

from hindcast.local.ports import free_port
from producers.settings import KafkaSettings

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
END_S = 30


@dataclass(frozen=True)
class Served:
    """A running server; ``output`` is the file it writes to."""

    process: subprocess.Popen[bytes]
    port: int
    output: Path

    def get(self, path: str) -> Any:
        """What it answers, as JSON."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as reply:
            return json.load(reply)

    def answers(self) -> bool:
        """Whether it does; a server that ended says why."""
        assert self.process.poll() is None, self.said()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5):
                return True
        except OSError:
            return False

    def said(self) -> str:
        """What it printed."""
        return self.output.read_text(errors="replace")

    def traffic(self, requests: int, path: str) -> list[Any]:
        """Answers to that many requests, ten at a time."""
        with ThreadPoolExecutor(10) as pool:
            return list(pool.map(self.get, [path] * requests))

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(by)
        try:
            return self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(by)  # uWSGI does not hear what it is told in its first moments
            return self.process.wait(END_S)


@contextmanager
def served(
    command: Sequence[str],
    settings: KafkaSettings,
    directory: Path,
    environment: Mapping[str, str] | None = None,
    *,
    answering: bool = True,
) -> Iterator[Served]:
    """Run a server until the context ends, and wait until it answers; ``{port}`` in the command is its port."""
    port, output = free_port(), directory / "server.log"
    variables = {
        **os.environ,
        "HINDCAST_KAFKA": settings.bootstrap,
        "HINDCAST_TOPIC_PREFIX": settings.topic_prefix,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}",
        **(environment or {}),
    }
    with output.open("wb") as written:
        process = subprocess.Popen(
            [word.format(port=port) for word in command],
            cwd=directory,
            env=variables,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Served(process, port, output)
    try:
        if answering:
            eventually(server.answers, within=60, saying="an answer of the server")
        yield server
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(END_S)
