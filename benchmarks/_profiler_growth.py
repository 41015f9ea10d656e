"""How the profiler's cost and memory grow: with features per event, with models on the topic, with processes that share it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from _predictions import DIFFERENT, event, fill, new_topics
from _profiling import Profiled, profiled

from producers.codec import encode


@dataclass(frozen=True)
class Load:
    """So many events of so many models, in turn, with so many features; profiled by so many processes."""

    events: int
    numeric: int = 16
    categorical: int = 4
    models: int = 1
    processes: int = 1

    def messages(self) -> list[bytes]:
        """Different events, fewer where they are large."""
        now = datetime.now(UTC)
        numbers = range(min(DIFFERENT, max(self.models, 20 * DIFFERENT // self.numeric)))
        made = (event(i, now, numeric=self.numeric, categorical=self.categorical) for i in numbers)
        return [
            encode("prediction", {**one, "model": f"bench{i % self.models}"}) for i, one in enumerate(made)
        ]


# a run takes some seconds: fewer events where each costs more
FEATURES = tuple(
    Load(events, numeric=n, categorical=0)
    for events, n in ((400_000, 1), (400_000, 10), (80_000, 100), (16_000, 1_000))
)
MODELS = tuple(Load(events, models=n) for events, n in ((400_000, 1), (400_000, 10), (40_000, 1_000)))
PROCESSES = tuple(Load(500_000, processes=n) for n in (1, 2))


def measured(bootstrap: str, load: Load) -> Profiled:
    """Profile such events on topics of their own."""
    settings = new_topics(bootstrap)
    fill(settings, load.messages(), range(load.events))
    return profiled(settings, load.events, processes=load.processes)


def growth(bootstrap: str) -> Iterator[tuple[str, float, str, int]]:
    """(measure, value, unit, events) of every size."""
    for load in FEATURES:
        done = measured(bootstrap, load)
        cost = ("ns_per_value", done.cpu_us * 1e3 / load.numeric, "ns")
        yield from _lines(done, f"{load.numeric}_features", cost)
    for loads, what in ((MODELS, "models"), (PROCESSES, "processes")):
        for load in loads:
            done = measured(bootstrap, load)
            cost = ("cpu_us_per_event", done.cpu_us, "us")
            yield from _lines(done, f"{getattr(load, what)}_{what}", cost)


def _lines(done: Profiled, size: str, cost: tuple[str, float, str]) -> Iterator[tuple[str, float, str, int]]:
    measure, value, unit = cost
    yield f"events_per_s.{size}", done.per_second, "events/s", done.events
    yield f"{measure}.{size}", value, unit, done.events
    yield f"rss_mb.{size}", done.rss_mb, "MB", done.events
