"""Services that are killed, and what the parent knows of each that the record must not contradict."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from faulty_service import COUNT, THREADS
from own_kafka import OwnKafka

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
KEPT = ("delivered", "spooled")
# a service lives for so many reports at most: a second or two
MOST_LINES = 600
HELD, LET_GO, BOTH = range(3)


@dataclass
class Life:
    """What one service said of itself.

    Attributes:
        number: of the service; the events of each are of another model.
        producer_id: its own.
        accepted: events it took, one less per thread at most.
        told: prediction ids by what was reported of them.
    """

    number: int
    producer_id: str = ""
    accepted: int = 0
    told: dict[str, set[str]] = field(default_factory=dict)

    @property
    def kept(self) -> set[str]:
        """Events that were reported as delivered or spooled."""
        return set().union(*(self.told.get(outcome, set()) for outcome in KEPT))

    @property
    def given_up(self) -> int:
        """Events that were reported as lost."""
        return sum(len(ids) for outcome, ids in self.told.items() if outcome not in KEPT)

    def hear(self, line: str) -> None:
        """Note a line of its output; one that is not whole was never said."""
        if not line.endswith("\n"):
            return
        outcome, what = line.split()
        if outcome == "producer":
            self.producer_id = what
            return
        assert all(what not in ids for ids in self.told.values()), f"two reports on {what}"
        self.told.setdefault(outcome, set()).add(what)


def service(call: str, kafka: str, prefix: str) -> subprocess.Popen[str]:
    """A process that runs a function of faulty_service.py."""
    return subprocess.Popen(
        [sys.executable, "-c", f"import faulty_service as s; s.{call}"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)]),
            "HINDCAST_KAFKA": kafka,
            "HINDCAST_TOPIC_PREFIX": prefix,
        },
        stdout=subprocess.PIPE,
        text=True,
    )


def killed(number: int, chance: random.Random, kafka: OwnKafka, prefix: str, directory: Path) -> Life:
    """The life of a service that is killed after some reports, and whose Kafka is held still for a part of it, or not."""
    life = Life(number)
    counts = directory / "counts"
    counts.write_bytes(bytes(THREADS * COUNT.size))
    held, until = sorted(chance.sample(range(MOST_LINES), 2))
    moments = chance.choice([{}, {HELD: held}, {LET_GO: until}, {HELD: held, LET_GO: until}])
    if LET_GO in moments and HELD not in moments:
        kafka.hold()
    call = f"serve({str(directory / 'spool')!r}, {number}, {str(counts)!r})"
    with service(call, kafka.bootstrap, prefix) as process:
        assert process.stdout is not None
        for line in range(chance.randint(1, MOST_LINES)):
            life.hear(process.stdout.readline())
            if line == moments.get(HELD):
                kafka.hold()
            elif line == moments.get(LET_GO):
                kafka.let_go()
        process.kill()
        for rest in process.stdout:
            life.hear(rest)
    kafka.let_go()
    life.accepted = sum(count for (count,) in COUNT.iter_unpack(counts.read_bytes()))
    return life


def finished(number: int, kafka: OwnKafka, prefix: str, directory: Path) -> Life:
    """The life of a service that sends all that the others left, and ends as it should."""
    life = Life(number)
    with service(f"finish({str(directory / 'spool')!r}, {number})", kafka.bootstrap, prefix) as process:
        assert process.stdout is not None
        for line in process.stdout:
            life.hear(line)
    assert process.returncode == 0
    life.accepted = len(life.kept) + life.given_up
    return life


def outcomes(lives: list[Life]) -> Counter[str]:
    """How many events were reported as what."""
    return Counter({outcome: len(ids) for life in lives for outcome, ids in life.told.items()})
