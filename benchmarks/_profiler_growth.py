"""How the profiler's cost and memory grow: with features per event, with models on the topic, with processes that share it.

``…_models_own_features``: no two models have a feature's name in common, which is the dearest, because nothing of a batch is counted together.
``…_models_contracts``: each has a contract that names all of its features and their ranges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from _predictions import DIFFERENT, event, fill, new_topics
from _profiling import Profiled, profiled

from producers.codec import encode
from producers.settings import KafkaSettings
from stream_processors.contracts.model import Contract
from stream_processors.kafka import producer


@dataclass(frozen=True)
class Load:
    """So many events of so many models, in turn, with so many features; profiled by so many processes.

    ``own``: each model's features have names of their own. ``contracts``: each model has one.
    """

    events: int
    numeric: int = 16
    categorical: int = 4
    models: int = 1
    processes: int = 1
    own: bool = False
    contracts: bool = False

    def messages(self) -> list[bytes]:
        """Different events, fewer where they are large."""
        now = datetime.now(UTC)
        numbers = range(min(DIFFERENT, max(self.models, 20 * DIFFERENT // self.numeric)))
        return [encode("prediction", self._event(number, now)) for number in numbers]

    def _event(self, number: int, now: datetime) -> dict[str, object]:
        one = event(number, now, numeric=self.numeric, categorical=self.categorical)
        model = f"bench{number % self.models}"
        features: dict[str, object] = {}
        for kind in ("numeric_features", "categorical_features") if self.own else ():
            of_model: dict[str, object] = one[kind]  # type: ignore[assignment]  # a map of names
            features[kind] = {f"{model}_{name}": value for name, value in of_model.items()}
        return {**one, **features, "model": model}

    def published(self) -> Iterator[Contract]:
        """The contract of each model."""
        for number in range(self.models if self.contracts else 0):
            one = self._event(number, datetime.now(UTC))
            kinds = {"numeric_features": {"minimum": -1e3, "maximum": 1e3}, "categorical_features": {}}
            features = {
                name: {"kind": kind.removesuffix("_features"), "required": True, **more}
                for kind, more in kinds.items()
                for name in one[kind]  # type: ignore[attr-defined]  # a map of names
            }
            yield Contract.model_validate({"model": one["model"], "features": features})


# a run takes some seconds: fewer events where each costs more
FEATURES = tuple(
    Load(events, numeric=n, categorical=0)
    for events, n in ((400_000, 1), (400_000, 10), (80_000, 100), (16_000, 1_000))
)
MODELS = tuple(Load(events, models=n) for events, n in ((400_000, 1), (400_000, 10), (400_000, 1_000)))
PROCESSES = tuple(Load(500_000, processes=n) for n in (1, 2))


def publish_all(settings: KafkaSettings, contracts: Iterable[Contract]) -> None:
    """What `publish` sends, for a thousand contracts at once."""
    client = producer(settings)
    for contract in contracts:
        record = {
            "model": contract.model,
            "body": contract.canonical(),
            "digest": contract.digest(),
            "shape": contract.shape(),
            "effective_from": 0,
            "lead_ms": 0,
        }
        client.produce(settings.topic("contracts"), encode("contract", record), contract.model.encode())
    if client.flush(60):
        raise SystemExit("the broker did not take all contracts within a minute")


def measured(bootstrap: str, load: Load) -> Profiled:
    """Profile such events on topics of their own."""
    settings = new_topics(bootstrap)
    publish_all(settings, load.published())
    fill(settings, load.messages(), range(load.events))
    return profiled(settings, load.events, processes=load.processes)


def growth(bootstrap: str) -> Iterator[tuple[str, float, str, int]]:
    """(measure, value, unit, events) of every size."""
    for load in FEATURES:
        done = measured(bootstrap, load)
        cost = ("ns_per_value", done.cpu_us * 1e3 / load.numeric, "ns")
        yield from _lines(done, f"{load.numeric}_features", cost)
    sizes = {f"{load.models}_models": load for load in MODELS}
    sizes |= {
        "1000_models_own_features": Load(200_000, models=1_000, own=True),
        "1000_models_contracts": Load(200_000, models=1_000, contracts=True),
    }
    sizes |= {f"{load.processes}_processes": load for load in PROCESSES}
    for size, load in sizes.items():
        done = measured(bootstrap, load)
        yield from _lines(done, size, ("cpu_us_per_event", done.cpu_us, "us"))


def _lines(done: Profiled, size: str, cost: tuple[str, float, str]) -> Iterator[tuple[str, float, str, int]]:
    measure, value, unit = cost
    yield f"events_per_s.{size}", done.per_second, "events/s", done.events
    yield f"{measure}.{size}", value, unit, done.events
    yield f"rss_mb.{size}", done.rss_mb, "MB", done.events
