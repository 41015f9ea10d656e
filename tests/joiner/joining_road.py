"""The joiner's road in tests: predictions, facts and contracts sent, recorders and joiners run, outcomes and quality looked at."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from waiting import eventually

from producers.codec import encode
from producers.events import label_record, prediction_record
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.clickhouse import Store
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish import publish
from stream_processors.joiner.marks import Marks
from stream_processors.kafka import create_topics, producer
from stream_processors.migrations import migrate
from stream_processors.settings import ClickHouseSettings
from stream_processors.topic_ids import topic_ids

REPOSITORY = Path(__file__).resolve().parents[2]
# ten days ago, because without a contract predictions are kept for 90 days of event time
DAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=10)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = dict[str, Any]
Process = subprocess.Popen[bytes]


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def said(prediction_id: str, model: str, event_time: datetime, **more: Any) -> Row:
    """A prediction of version 1, as a bulk load of history: known when it was made."""
    defaults: Row = {
        "model_version": "1",
        "environment": "production",
        "features": {},
        "known_at": micros(event_time),
    }
    return prediction_record(
        prediction_id=prediction_id, model=model, event_time=micros(event_time), **{**defaults, **more}
    )


_NUMBERS = count()


def told(prediction_id: str, model: str, reported_at: datetime, **more: Any) -> Row:
    """A fact, as a bulk load of history; truth `true` unless said otherwise."""
    if more.get("kind", "truth") in {"truth", "correction"} and "truth_value" not in more:
        more.setdefault("truth", "true")
    more.setdefault("label_id", f"fact-{next(_NUMBERS):08}")
    at = micros(reported_at)
    return label_record(
        prediction_id=prediction_id, model=model, **{"reported_at": at, "known_at": at, **more}
    )


class Road:
    """Topics and tables of some tests, and the processes that work on them.

    Attributes:
        kafka, store: to look at both ends.
    """

    def __init__(self, kafka: str, clickhouse: str, prefix: str, database: str, directory: Path) -> None:
        self.kafka = KafkaSettings(bootstrap=kafka, topic_prefix=prefix)
        self.store = Store(ClickHouseSettings(url=clickhouse, database=database))
        self.status_dir = directory / "status"
        self.environment = {
            **os.environ,
            "HINDCAST_KAFKA": kafka,
            "HINDCAST_TOPIC_PREFIX": prefix,
            "HINDCAST_CLICKHOUSE": clickhouse,
            "HINDCAST_DATABASE": database,
            "HINDCAST_STATUS_DIR": str(self.status_dir),
            "HINDCAST_QUALITY_INTERVAL": "0.5",
            "HINDCAST_ALLOWED_LATENESS": "0",
        }
        self._log = (directory / "processes.log").open("ab")
        self._processes: list[Process] = []
        self._producer = producer(self.kafka)
        create_topics(self.kafka, topics().values())
        migrate(self.store)
        self.marks = Marks(self.kafka)
        self._predictions_id = topic_ids(self.kafka, [self.kafka.topic("predictions")])[
            self.kafka.topic("predictions")
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for process in self._processes:
            self.kill(process)
        self.marks.close()
        self.store.close()
        self._log.close()

    def start(self, role: str, slot: str = "0", **environment: str) -> Process:
        """A process of this role."""
        process = subprocess.Popen(
            [sys.executable, "-m", f"stream_processors.{role}"],
            env={**self.environment, "HINDCAST_SLOT": slot, **environment},
            cwd=REPOSITORY,
            stderr=self._log,
        )
        self._processes.append(process)
        return process

    def kill(self, process: Process) -> None:
        """End it with SIGKILL."""
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def publish(self, contract: Contract) -> None:
        """Publish a contract; returns when it is in effect."""
        publish(self.kafka, contract, lead=0.2)

    def send(self, topic: str, records: Iterable[Row]) -> None:
        """Send predictions or labels, keyed as producers key them, and wait for Kafka's word."""
        schema = topic.removesuffix("s")
        for record in records:
            self._producer.produce(
                self.kafka.topic(topic), encode(schema, dict(record)), record["prediction_id"]
            )
            self._producer.poll(0)
        assert self._producer.flush(30) == 0

    def close_windows(self) -> None:
        """Say, as an idle profiler does, that every partition of `predictions` was read to its end."""
        for partition in range(4):
            stretch = {
                "topic_id": self._predictions_id,
                "source_partition": partition,
                "first_offset": 0,
                "next_offset": 0,
                "events": 0,
                "dead_letters": 0,
                "reached_end": True,
                "profiler_id": "profiler-0",
            }
            for target in range(4):
                self._producer.produce(
                    self.kafka.topic("sketches"), encode("stretch", stretch), partition=target
                )
        assert self._producer.flush(30) == 0

    def outcomes(self, model: str) -> list[Row]:
        """Outcomes recorded for a model, each once, in the order of prediction and fact."""
        return self.store.rows(
            "SELECT * EXCEPT (_recorded_at) FROM outcomes FINAL WHERE model = {model:String} ORDER BY prediction_id, model_version, label_id",
            {"model": model},
        )

    def outcomes_are(self, model: str, number: int) -> list[Row]:
        """The model's outcomes once there are so many, which must not be exceeded."""

        def there() -> list[Row]:
            found = self.outcomes(model)
            assert len(found) == number
            return found

        return eventually(there, within=30, saying=f"{number} outcomes of {model}")

    def quality(self, model: str) -> list[Row]:
        """The last revision of every window and slice of a model."""
        return self.store.rows(
            "SELECT * FROM quality_v WHERE model = {model:String} ORDER BY model_version, slice, window_start",
            {"model": model},
        )

    def joined(self) -> None:
        """Wait until everything sent is recorded and joined, and the outcomes recorded."""
        for topic in ("predictions", "labels"):
            ends = self.marks.ends(topic, range(4))
            eventually(
                lambda t=topic, e=ends: not self.marks.not_joined(t, e),
                within=60,
                saying=f"{topic} is joined",
            )
        ends = self.marks.ends("outcomes", range(4))
        eventually(
            lambda: not self.marks.not_recorded("outcomes", ends), within=60, saying="outcomes are recorded"
        )

    def heartbeat(self, slot: str = "0") -> Row:
        """What a joiner says of itself."""
        path = self.status_dir / f"joiner-{slot}.json"
        assert path.exists(), "it has not spoken yet"
        beat: Row = json.loads(path.read_text())
        return beat

    def messages(self, topic: str) -> int:
        """How many messages a topic has got."""
        return sum(self.marks.ends(topic, range(4)).values())


def identities(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """Prediction, version, kind and ambiguity of outcomes."""
    return [(row["prediction_id"], row["model_version"], row["kind"], row["ambiguous"]) for row in rows]
