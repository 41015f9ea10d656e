"""Runs the profiling job in other frameworks, each as a process of its own, and compares what they counted, bin by bin, with the profiler.

Their packages are the extra ``bench``. Quix Streams wants an older librdkafka than the profiler runs with, so they live in an environment of
their own in the cache, which the first run makes. A peer that is not there is skipped, and one line on stderr says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from _totals import Totals

from hindcast.local.directories import cache_directory
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.kafka import OFFSET_BEGINNING, TopicPartition, create_topics, reader

HERE = Path(__file__).parent
_COMMANDS = {
    "quixstreams": ["with_quixstreams.py"],
    "faust": ["with_faust.py", "worker", "--loglevel", "warn", "--without-web"],
    "bytewax": ["-m", "bytewax.run", "with_bytewax:flow"],
    "bytewax_unordered": ["-m", "bytewax.run", "with_bytewax:unordered"],
}
_INSTALL_S = 600
_LIMIT_S = 120


class PeerFailed(Exception):
    """A peer did not do the job; says what it said last."""


@dataclass(frozen=True)
class Measured:
    """What a peer took for so many events."""

    events: int
    seconds: float
    cpu_seconds: float

    @property
    def cpu_us(self) -> float:
        """CPU microseconds per event."""
        return self.cpu_seconds / self.events * 1e6


def requirements(extra: str = "bench", pyproject: Path = HERE.parent / "pyproject.toml") -> list[str]:
    """What an extra asks for."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    wanted: list[str] = project["optional-dependencies"][extra]
    return wanted


def interpreter(wanted: list[str], cache: Path) -> Path | None:
    """A Python with these packages, made where it is not there yet; None where they cannot be had."""
    named = hashlib.sha256(repr((sys.version, sys.prefix, wanted)).encode()).hexdigest()[:12]
    directory = cache / f"bench-{named}"
    python, complete = directory / "bin" / "python", directory / "complete"
    if complete.exists():
        return python
    print("installing what to compare with (once) ...", file=sys.stderr)
    try:
        for command in (
            [sys.executable, "-m", "venv", "--clear", directory],
            [python, "-m", "pip", "install", "--quiet", *wanted],
        ):
            subprocess.run(command, check=True, capture_output=True, timeout=_INSTALL_S)
    except (OSError, subprocess.SubprocessError):
        return None
    complete.touch()
    return python


def measured_peers(
    settings: KafkaSettings, count: int, expected: Totals, *, variants: bool
) -> Iterator[tuple[str, Measured]]:
    """Each peer that is there, over the first ``count`` events, which are all that is on the topic; with or without its variants."""
    python = interpreter(requirements(), cache_directory(os.environ))
    if python is None:
        print(f"skipped, as the extra bench cannot be installed: {', '.join(_COMMANDS)}", file=sys.stderr)
        return
    for name in _COMMANDS:
        if "_" in name and not variants:
            continue
        try:
            yield name, measured_peer(name, python, settings, count, expected)
        except PeerFailed as failure:
            print(f"skipped: {name}: {failure}", file=sys.stderr)


def measured_peer(name: str, python: Path, settings: KafkaSettings, count: int, expected: Totals) -> Measured:
    """Run one peer until its sketches have come to its topic.

    Raises:
        PeerFailed: it ended, took too long, or counted something else than expected.
    """
    own = KafkaSettings(settings.bootstrap, f"{settings.topic_prefix}-{name}")
    create_topics(own, [topics()["sketches"]], partitions=1)
    environment = {
        **os.environ,
        "PEER_BROKER": settings.bootstrap,
        "PEER_PREDICTIONS": settings.topic("predictions"),
        "PEER_SKETCHES": own.topic("sketches"),
        "PEER_EVENTS": str(count),
    }
    with tempfile.TemporaryDirectory() as directory, (Path(directory) / "log").open("w") as log:
        result = Path(directory) / "result.json"
        environment |= {"PYTHONPATH": str(HERE / "peers"), "PEER_RESULT": str(result)}
        script, *arguments = _COMMANDS[name]
        command = [python, script if script == "-m" else HERE / "peers" / script, *arguments]
        peer = subprocess.Popen(
            # a framework may keep state where it is started
            command,
            cwd=directory,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            _await_totals(peer, own, expected)
        except PeerFailed as failure:
            raise PeerFailed(f"{failure}: {_last_line(log.name)}") from None
        finally:
            peer.terminate()
            try:
                peer.wait(20)
            except subprocess.TimeoutExpired:
                peer.kill()
                peer.wait()
        if not result.exists():
            raise PeerFailed("it never saw all events")
        return Measured(**json.loads(result.read_text()))


def _await_totals(peer: subprocess.Popen[str], settings: KafkaSettings, expected: Totals) -> None:
    found, limit = Totals(), monotonic() + _LIMIT_S
    for values in _arriving(settings, peer, limit):
        found.add(values)
        if found.events >= expected.events:
            break
    compare(found, expected)


def compare(found: Totals, expected: Totals) -> None:
    """Raise `PeerFailed` unless both count the same."""
    different = found.differences(expected)
    if different:
        raise PeerFailed(f"{different} counts, sums or extremes differ from the profiler's")


def _arriving(settings: KafkaSettings, peer: subprocess.Popen[str], limit: float) -> Iterator[list[bytes]]:
    """Messages as they come to the topic, until the peer has ended and all are read, or it took too long."""
    client = reader(settings)
    client.assign([TopicPartition(settings.topic("sketches"), 0, OFFSET_BEGINNING)])
    ended = False
    try:
        while monotonic() < limit:
            messages = [one for one in client.consume(1_000, 1.0) if one.error() is None]
            if messages:
                yield [message.value() for message in messages]
            if ended and not messages:
                return
            ended = peer.poll() is not None
    finally:
        client.close()


def _last_line(log: str) -> str:
    lines = Path(log).read_text().strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"
