"""Processes that log, lose, spool, replay, end and are killed, step by step, and the rows they leave.

A process queues what it says, numbers it as it hands it on, and writes ledgers as `producers` does; Kafka takes messages out of order, twice,
or not at all. Beside the rows it leaves, the truth is kept: what was lost, and what lies in the spool.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from producer_rows import HOUR, START, ago, arrival, ledger

MODELS = ("m", "n")
HOURS = 3
QUEUE, CLIENT = 8, 12


class Event(NamedTuple):
    """One event that got a number."""

    producer: str
    model: str
    hour: int
    number: int


Account = tuple[str, int]


@dataclass
class World:
    """What all processes share, the rows they leave, and the truth: events lost by (producer, hour)."""

    random: Random
    hour: int = 0
    spool: deque[Event] = field(default_factory=deque)
    intake: list[dict[str, Any]] = field(default_factory=list)
    ledgers: list[dict[str, Any]] = field(default_factory=list)
    lost: Counter[tuple[str, int]] = field(default_factory=Counter)

    def arrives(self, event: Event) -> None:
        """The log has it; now and then as a dead letter, or twice."""
        dead = self.random.random() < 0.05
        at = START + event.hour * HOUR
        more: dict[str, Any] = {"at": at, "producer_id": event.producer, "model": event.model, "dead": dead}
        for _ in range(1 + (self.random.random() < 0.1)):
            self.intake.append(arrival(event.number, **more))


class Process:
    """One producer process."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.state = "live"
        self._world, self._random = world, world.random
        self._models = MODELS[: 1 + (self._random.random() < 0.3)]
        self._spools = self._random.random() < 0.5
        self._queue: deque[Account] = deque()
        self._client: list[Event] = []
        self._number = self._ticks = 0
        self._counts: dict[Account, dict[str, Any]] = {}

    def step(self) -> None:
        """Whatever happens next."""
        acts = [self._say, self._say, self._hand_on, self._hand_on, self._deliver, self._deliver, self._fail]
        self._random.choice([*acts, self._spool, self._replay, self.tick])()

    def tick(self, *, closing: bool = False) -> None:
        """A ledger for every account."""
        self._ticks += 1
        for (model, hour), counts in self._counts.items():
            row = {
                **counts,
                "dropped": dict(counts["dropped"]),
                "queue_limit": QUEUE + CLIENT,
                "closing": closing,
            }
            last = row.pop("last_sequence")
            where: dict[str, Any] = {"producer_id": self.name, "model": model, "hour": START + hour * HOUR}
            told = ledger(row.pop("accepted"), minute=self._ticks, **where, **row)
            self._world.ledgers.append({**told, "last_sequence": last})

    def close(self) -> None:
        """End cleanly: all is handed on and settled, what is not acknowledged is given up or spooled, and the last ledger says so."""
        while self._queue or self._client:
            self._hand_on()
            self._deliver()
            if self._random.random() < 0.3:
                self._spool()
            if self._random.random() < 0.1 and self._client:
                event = self._client.pop()
                self._of((event.model, event.hour))["dropped"]["closed"] += 1
        self.tick(closing=True)
        self.state = "closed"

    def kill(self) -> None:
        """End at once: what waits unnumbered is lost, of what Kafka's client holds some may still have left."""
        self.state = "silent"
        self._world.lost.update((self.name, hour) for _, hour in self._queue)
        for event in self._client:
            if self._random.random() < 0.3:
                self._world.arrives(event)
            else:
                self._world.lost[self.name, event.hour] += 1

    def _of(self, account: Account) -> dict[str, Any]:
        empty = {"accepted": 0, "failed": 0, "spooled": 0, "replayed": 0, "last_sequence": None}
        return self._counts.setdefault(account, {**empty, "dropped": Counter()})

    def _drop(self, account: Account, reason: str) -> None:
        counts = self._of(account)
        counts["accepted"] += 1
        counts["dropped"][reason] += 1

    def _say(self) -> None:
        for _ in range(self._random.randrange(1, 6)):
            account = (self._random.choice(self._models), self._world.hour)
            if self._random.random() < 0.1:
                self._drop(account, "sampled")
            elif len(self._queue) == QUEUE:
                self._drop(account, "queue_full")
            else:
                self._queue.append(account)

    def _hand_on(self) -> None:
        while self._queue and len(self._client) < CLIENT:
            account = self._queue.popleft()
            if self._random.random() < 0.05:
                self._drop(account, "invalid")
                continue
            counts = self._of(account)
            counts["accepted"] += 1
            counts["last_sequence"] = self._number
            self._client.append(Event(self.name, *account, self._number))
            self._number += 1

    def _taken(self, most: int) -> list[Event]:
        self._random.shuffle(self._client)
        taken, self._client = self._client[:most], self._client[most:]
        return taken

    def _deliver(self) -> None:
        for event in self._taken(self._random.randrange(8)):
            self._world.arrives(event)

    def _fail(self) -> None:
        for event in self._taken(self._random.randrange(2)):
            self._of((event.model, event.hour))["failed"] += 1
            if self._random.random() < 0.5:
                self._world.arrives(event)

    def _spool(self) -> None:
        for event in self._taken(self._random.randrange(5) if self._spools else 0):
            self._of((event.model, event.hour))["spooled"] += 1
            self._world.spool.append(event)

    def _replay(self) -> None:
        """Send what lies in the spool, whoever put it there; where that is not noted, it is sent again later."""
        spool = self._world.spool
        for _ in range(self._random.randrange(len(spool) + 1)):
            event = spool[0]
            self._world.arrives(event)
            self._of((event.model, event.hour))["replayed"] += 1
            spool.popleft() if self._random.random() < 0.9 else spool.rotate(-1)


def lived(seed: int, processes: int = 6, steps: int = 60) -> tuple[World, dict[str, str]]:
    """Some processes' lives, and how each ended."""
    world = World(Random(seed))
    everyone = [Process(world, f"p{number}") for number in range(processes)]
    for moment in range(steps):
        world.hour = moment * HOURS // steps
        for one in everyone:
            if one.state == "live":
                one.step()
                if world.random.random() < 0.02:
                    world.random.choice((one.close, one.kill))()
    for one in everyone:
        if one.state == "live":
            world.random.choice((one.tick, one.close, one.kill))()
    states = {one.name: one.state for one in everyone}
    for row in world.ledgers + world.intake:
        row["_recorded_at"] = ago(1 if states[row["producer_id"]] == "live" else 60)
    return world, states
