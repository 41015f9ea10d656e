"""The monitor's surroundings: topics, tables, a real recorder, and monitors as threads or processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
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

    def rows(self, table: str, order: str, where: dict[str, Any]) -> list[dict[str, Any]]:
        found = self.store.rows(f"SELECT * FROM {table} FINAL ORDER BY {order}")
        return [row for row in found if all(row[name] == value for name, value in where.items())]


@pytest.fixture
def road(kafka: str, clickhouse: str, topic_prefix: str, database: str, tmp_path: Path) -> Iterator[Road]:
    """A road with a recorder that runs in a thread; partitions: 2 of each topic."""
    settings = ProcessorSettings(
        kafka=KafkaSettings(bootstrap=kafka, topic_prefix=topic_prefix),
        clickhouse=ClickHouseSettings(url=clickhouse, database=database),
        status_dir=tmp_path / "status",
        allowed_lateness=1.0,
    )
    store = Store(settings.clickhouse)
    migrate(store)
    flushes = Flushes(settings.kafka, contract())
    with in_thread(recorder_process.run, settings):
        yield Road(settings, flushes, store)
    store.close()


class in_thread:  # noqa: N801 - reads like a function in a with statement
    """Runs a processor's ``run(settings, stop)`` in a thread for as long as the block lasts."""

    def __init__(self, run: Callable[[ProcessorSettings, threading.Event], None], settings: ProcessorSettings) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=run, args=(settings, self._stop), daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive(), "the processor did not stop within 10 s"


@pytest.fixture
def eventually_verdicts(road: Road) -> Callable[..., list[dict[str, Any]]]:
    """Wait until the record holds verdicts that fit, and return them."""

    def wait(count: int, within: float = 30, **where: Any) -> list[dict[str, Any]]:
        def there() -> list[dict[str, Any]]:
            found = road.verdicts(**where)
            assert len(found) == count, [(r["column"], r["slice"], r["window_start"], r["state"]) for r in found][:20]
            return found

        return eventually(there, within=within, saying=f"{count} verdicts with {where}")

    return wait
