"""How many predictions a second the profiler counts, beside the ceiling of this machine and beside other frameworks that do the same job.

Events have 16 numeric and 4 categorical features. They are on the topic before a measurement starts; the broker shares the machine. Uses the
Kafka of HINDCAST_KAFKA, else starts one. CPU is that of the profiling process alone, librdkafka's threads included, and memory the most that it
had at once. ``contract_…``: with a contract that names all features and slices by one with ten values.

The ceilings read the same topic: ``consume_only`` throws messages away, ``consume_and_decode`` throws away Arrow. The peers
(``benchmarks/peers/``, extra ``bench``) read its first events, each in a process of its own, and count only if they count what the profiler
counts, bin by bin; ``cpu_ratio.…`` is their CPU per event over the profiler's. Growth is explained in ``benchmarks/_profiler_growth.py``, the
settings' lines in ``benchmarks/_profiler_settings.py``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from itertools import chain

from _peers import measured_peers
from _predictions import PARTITIONS, events, fill, kafka, new_topics
from _profiler_growth import growth
from _profiler_settings import settings_sweep
from _profiling import profiled
from _totals import profiler_totals

from producers.settings import KafkaSettings
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish import publish
from stream_processors.decoding import decode_batch
from stream_processors.kafka import OFFSET_BEGINNING, TopicPartition, reader
from stream_processors.processor_main import spare_cycles

_BATCH = 20_000


def contract() -> Contract:
    """All features named, and a slicing of ten values."""
    numeric = {f"num_{i}": {"kind": "numeric", "required": True} for i in range(16)}
    categorical = {f"cat_{i}": {"kind": "categorical"} for i in range(4)}
    slices = [{"by": "cat_0", "values": [f"value{i}" for i in range(10)]}]
    return Contract.model_validate(
        {"model": "bench", "features": {**numeric, **categorical}, "slices": slices}
    )


def consumed(
    settings: KafkaSettings, count: int, work: Callable[[Sequence[bytes]], object] | None = None
) -> tuple[float, float]:
    """A ceiling, (messages per second, CPU microseconds per message): consumed, given to ``work`` by the batch, and thrown away."""
    client = reader(settings, queued_max_messages_kbytes=32_768, fetch_message_max_bytes=4_194_304)
    topic = settings.topic("predictions")
    client.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(PARTITIONS)])
    first = 0
    while not first:
        first = len(client.consume(1, 1.0))
    seen, wall, cpu = 0, time.perf_counter(), time.process_time()
    while first + seen < count:
        messages = [one for one in client.consume(_BATCH, 0.1) if one.error() is None]
        seen += len(messages)
        if work:
            work([one.value() for one in messages])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    client.close()
    return seen / wall, cpu / seen * 1e6


def quick() -> bool:
    """Whether a look is enough."""
    return bool(os.environ.get("QUICK"))


def say(measure: str, value: float, unit: str, n: int) -> None:
    """One line of JSON."""
    print(
        json.dumps({"measure": f"profiler.{measure}", "value": round(value, 3), "unit": unit, "n": n}),
        flush=True,
    )


def beside_peers(bootstrap: str, n: int, n_peers: int) -> None:
    """The profiler, its ceilings and its peers on one topic."""
    settings, messages = new_topics(bootstrap), events()
    fill(settings, messages, range(n_peers))
    profiled(settings, n_peers)
    peers = dict(measured_peers(settings, n_peers, profiler_totals(settings), variants=not quick()))
    fill(settings, messages, range(n_peers, n))
    consume_only, _ = consumed(settings, n)
    ceiling, ceiling_cpu = consumed(
        settings, n, lambda values: decode_batch(values, expected=("prediction",))
    )
    ours = profiled(settings, n - n_peers)
    say("events_per_s", ours.per_second, "events/s", ours.events)
    say("cpu_us_per_event", ours.cpu_us, "us", ours.events)
    say("rss_mb", ours.rss_mb, "MB", ours.events)
    say("consume_only_per_s", consume_only, "messages/s", n)
    say("consume_and_decode_per_s", ceiling, "messages/s", n)
    say("share_of_consume_only", ours.per_second / consume_only, "ratio", n)
    say("share_of_ceiling", ours.per_second / ceiling, "ratio", n)
    say("share_of_ceiling_cpu", ceiling_cpu / ours.cpu_us, "ratio", n)
    for name, peer in peers.items():
        say(f"peer_events_per_s.{name}", peer.events / peer.seconds, "events/s", peer.events)
        say(f"peer_cpu_us_per_event.{name}", peer.cpu_us, "us", peer.events)
        say(f"cpu_ratio.{name}", peer.cpu_us / ours.cpu_us, "ratio", peer.events)


def under_contract(bootstrap: str, n: int) -> None:
    """The profiler with every feature promised and slices."""
    settings = new_topics(bootstrap)
    publish(settings, contract(), lead=0)
    fill(settings, events(), range(n))
    ceiling, _ = consumed(settings, n)
    ours = profiled(settings, n)
    say("contract_events_per_s", ours.per_second, "events/s", ours.events)
    say("contract_cpu_us_per_event", ours.cpu_us, "us", ours.events)
    say("contract_share_of_consume_only", ours.per_second / ceiling, "ratio", n)


def main() -> None:
    """Measure without and with a contract, beside others, and in growth; QUICK leaves contract and growth out."""
    n, n_peers = (310_000, 10_000) if quick() else (1_530_000, 30_000)
    spare_cycles()  # as the profiler does: the ceilings must not be lower for it
    with kafka() as bootstrap:
        beside_peers(bootstrap, n, n_peers)
        if not quick():
            under_contract(bootstrap, n // 2)
            for line in chain(growth(bootstrap), settings_sweep(bootstrap, 600_000)):
                say(*line)


if __name__ == "__main__":
    main()
