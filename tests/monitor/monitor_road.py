"""A road for a monitor to work on: topics, tables, a real recorder; and monitors as threads or processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from flushes import Flushes, contract, reference
from waiting import eventually

from producers.settings import KafkaSettings
from stream_processors.clickhouse import Store
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish import publish
from stream_processors.migrations import migrate
from stream_processors.recorder import process as recorder_process
from stream_processors.settings import ClickHouseSettings, ProcessorSettings


@dataclass
class Road:
    """Kafka and ClickHouse with a recorder between them, and what a test asks of them."""

    settings: ProcessorSettings
    flushes: Flushes
    store: Store

    def publish(self, baseline_days: int = 25, **more: Any) -> Contract:
        """Publish the contract with a training reference of so many days; 0 for none."""
        wanted = contract(**more)
        baseline = reference(wanted, np.random.default_rng(7), baseline_days) if baseline_days else []
        return publish(self.settings.kafka, wanted, baseline=baseline, lead=0.0).contract

    def verdicts(self, **where: Any) -> list[dict[str, Any]]:
        """Rows of ``drift``, repeats collapsed, in window order."""
        return self.rows("drift", "window_start, column, slice, revision", where)

    def alerts(self, **where: Any) -> list[dict[str, Any]]:
        """Rows of ``alerts`` in the order they were said."""
        return self.rows("alerts", "_appended_at, _offset", where)

    def eventually_verdicts(self, count: int, within: float = 40, **where: Any) -> list[dict[str, Any]]:
        """Wait until the record holds so many verdicts that fit, and return them."""

        def there() -> list[dict[str, Any]]:
            found = self.verdicts(**where)
            seen = [(row["column"], row["slice"], row["window_start"], row["state"]) for row in found]
            assert len(found) == count, (self.heartbeat(), seen[:20])
            return found

        return eventually(there, within=within, saying=f"{count} verdicts with {where}")

    def standing_alerts(self) -> dict[str, dict[str, Any]]:
        """How each alert stands, by its id: the last word on it; withdrawn ones never were."""
        last = {row["alert_id"]: row for row in self.alerts()}
        return {mark: row for mark, row in last.items() if row["state"] != "withdrawn"}

    def heartbeat(self, slot: str = "0") -> dict[str, Any]:
        """What a monitor last said of itself; empty before."""
        assert self.settings.status_dir is not None
        path = self.settings.status_dir / f"monitor-{slot}.json"
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def done(self) -> None:
        """Assert that the monitor has read, judged and said all there is."""
        heart = self.heartbeat()
        assert heart, "no heartbeat"
        name, ends = self.settings.kafka.topic("sketches"), self.flushes.ends()
        assert heart["positions"] == {f"{name}-{p}": end for p, end in ends.items()}, heart
        assert (sum(heart["lag"].values()), heart["waiting"], heart["last_error"]) == (0, 0, ""), heart

    def rows(self, table: str, order: str, where: dict[str, Any]) -> list[dict[str, Any]]:
        """Rows of a table with these values, repeats collapsed."""
        found = self.store.rows(f"SELECT * FROM {table} FINAL ORDER BY {order}")
        return [row for row in found if all(row[name] == value for name, value in where.items())]


@contextmanager
def made_road(kafka: str, clickhouse: str, prefix: str, database: str, directory: Path) -> Iterator[Road]:
    """A road with a recorder in a thread; two partitions of each topic."""
    settings = ProcessorSettings(
        kafka=KafkaSettings(bootstrap=kafka, topic_prefix=prefix),
        clickhouse=ClickHouseSettings(url=clickhouse, database=database),
        status_dir=directory / "status",
        allowed_lateness=1.0,
    )
    store = Store(settings.clickhouse)
    migrate(store)
    with in_thread(recorder_process.run, settings):
        yield Road(settings, Flushes(settings.kafka, contract()), store)
    store.close()


class in_thread:  # noqa: N801 - reads like a function in a with statement
    """Runs a processor's ``run(settings, stop)`` in a thread for as long as the block lasts."""

    def __init__(
        self, run: Callable[[ProcessorSettings, threading.Event], None], settings: ProcessorSettings
    ) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=run, args=(settings, self._stop), daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive(), "the processor did not stop within 10 s"


class MonitorProcess:
    """``python -m stream_processors.monitor`` on a road; ends with the block, if it was not ended before."""

    def __init__(self, road: Road, **environment: str) -> None:
        settings = road.settings
        self._environment = {
            **os.environ,
            "HINDCAST_KAFKA": settings.kafka.bootstrap,
            "HINDCAST_TOPIC_PREFIX": settings.kafka.topic_prefix,
            "HINDCAST_CLICKHOUSE": settings.clickhouse.url,
            "HINDCAST_DATABASE": settings.clickhouse.database,
            "HINDCAST_STATUS_DIR": str(settings.status_dir),
            "HINDCAST_ALLOWED_LATENESS": "1",
            **environment,
        }
        self.start()

    def start(self) -> None:
        """Start it (again)."""
        command = [sys.executable, "-m", "stream_processors.monitor"]
        self.process = subprocess.Popen(command, env=self._environment, stderr=subprocess.PIPE, text=True)

    def kill(self) -> None:
        """End it as a power cut would, and start it again."""
        self.process.kill()
        self.process.communicate(timeout=10)
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)
