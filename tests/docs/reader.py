"""Somebody who reads a page at a terminal and runs what stands there, in order."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from markdown_pages import ROOT, Block
from waiting import eventually

from hindcast.local.ports import free_port, is_free
from producers.codec import encode
from producers.settings import KafkaSettings
from stream_processors.kafka import producer

TIMEOUT_S = 200
# Run by nobody here: they install, test, measure, or start and stop a whole stack, which other tests do, or need Docker.
LEFT_OUT = re.compile(r"(\w+=\S+ )*(make|docker|\. \.venv|hindcast (up|down|demo))\b|.*--directory")
# A block of its own runs beside the reader's shell until the page ends, on another port: this one may be taken here.
GATEWAY = ["hindcast gateway"]
GATEWAY_PORT = "8700"
_PRELUDE = """set -euo pipefail
hindcast() { "$PYTHON" -m hindcast "$@"; }
"""
_TOPIC = re.compile(r'kafka\.topic\("(\w+)"\)')


@dataclass(frozen=True)
class Reader:
    """The working directory and what `hindcast status --env` has set in the shell."""

    directory: Path
    environment: Mapping[str, str]
    gateways: list[tuple[subprocess.Popen[bytes], int]] = field(default_factory=list)

    def run(self, block: Block) -> str:
        """Run one block to its end, and return what it printed; blocks of other languages print nothing.

        Raises:
            AssertionError: it failed.
        """
        match block.language:
            case "python" if "while True:" in block.text:
                return self._read_first_message(block.text)
            case "python":
                return self._done([sys.executable, "-"], block.text)
            case "sh" if block.commands() == GATEWAY:
                return self._start_gateway()
            case "sh":
                lines = [line for line in block.commands() if not LEFT_OUT.match(line)]
                return self._done(["bash"], self._here("\n".join([_PRELUDE, *lines])))
            case "sql":
                return self.hindcast("sql", block.text)
            case _:
                return ""

    def hindcast(self, *arguments: str) -> str:
        """What a command prints."""
        return self._done([sys.executable, "-m", "hindcast", *arguments], "")

    def end_gateways(self) -> None:
        """End what a page has started."""
        while self.gateways:
            process, _ = self.gateways.pop()
            process.terminate()
            process.wait(TIMEOUT_S)

    def _start_gateway(self) -> str:
        port = free_port()
        command = [sys.executable, "-m", "hindcast", "gateway", "--port", str(port)]
        process = subprocess.Popen(command, cwd=self.directory, env=self._variables())
        self.gateways.append((process, port))
        eventually(lambda: not is_free(port) or process.poll() is not None, saying="the gateway listens")
        assert process.poll() is None
        return ""

    def _here(self, text: str) -> str:
        """A block that speaks to the gateway where it listens here."""
        return text.replace(f":{GATEWAY_PORT}/", f":{self.gateways[-1][1]}/") if self.gateways else text

    def _done(self, command: list[str], text: str) -> str:
        done = subprocess.run(
            command,
            input=text,
            cwd=self.directory,
            env=self._variables(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _read_first_message(self, text: str) -> str:
        """Run a consumer that never ends, with an example on its topic, until it has printed something."""
        name = _TOPIC.findall(text)[0]
        self._publish_example(name)
        with tempfile.TemporaryFile("w+") as printed:
            command = [sys.executable, "-u", "-c", text]
            running = subprocess.Popen(
                command, cwd=self.directory, env=self._variables(), stdout=printed, stderr=subprocess.STDOUT
            )
            try:
                return eventually(
                    lambda: _first_line(printed.fileno()), within=TIMEOUT_S, saying="a line of the consumer"
                )
            finally:
                running.send_signal(signal.SIGKILL)
                running.wait()

    def _publish_example(self, name: str) -> None:
        """Put the shipped example of a topic's schema on it."""
        schema = name.removesuffix("s")
        record = json.loads((ROOT / "schemas" / "examples" / f"{schema}.v1.json").read_text(encoding="utf-8"))
        kafka = KafkaSettings.from_environment(self.environment)
        client = producer(kafka)
        client.produce(kafka.topic(name), encode(schema, record), b"example")
        assert client.flush(30) == 0

    def _variables(self) -> dict[str, str]:
        paths = os.pathsep.join(filter(None, [str(ROOT), self.environment.get("PYTHONPATH", "")]))
        return {**self.environment, "PYTHON": sys.executable, "PYTHONPATH": paths}


def _first_line(descriptor: int) -> str:
    """The first whole line printed so far; empty while there is none."""
    written = os.pread(descriptor, 65536, 0).decode()
    return written.partition("\n")[0] if "\n" in written else ""
