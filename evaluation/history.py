"""The only door of the read side: named questions and analysts' own SQL, answered as Arrow tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from evaluation.queries import NamedQuery, clickhouse_time, find_query, shipped_queries
from evaluation.statements import read_only
from producers.errors import ConfigError
from stream_processors.clickhouse import Store
from stream_processors.settings import ClickHouseSettings

# readonly=1: no writes, no url() or file(), and no SETTINGS clause that lifts these limits
READ_LIMITS: Mapping[str, Any] = {
    "readonly": 1,
    "max_execution_time": 60,
    "max_memory_usage": 4_000_000_000,
    "max_result_rows": 10_000_000,
}


class History:
    """What was recorded, to be asked; nothing can be changed through it.

    Safe to use from one thread at a time.

    Raises:
        ConfigError: a query or parameter that does not exist, a moment that has not come, or a statement that does not read.
        QueryRefused: ClickHouse refuses the statement.
        StoreUnavailable: ClickHouse does not answer, or the limits of `READ_LIMITS` are exceeded.
    """

    def __init__(
        self, settings: ClickHouseSettings, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = Store(settings)
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._store.close()

    def queries(self) -> dict[str, NamedQuery]:
        """Every named query."""
        return shipped_queries()

    def query(self, name: str, /, **parameters: object) -> pa.Table:
        """The answer to a named question; parameters as its header says, times as datetime or ISO text.

        A moment of knowledge (parameter ``t``) that has not come yet is refused: the same question would be answered otherwise later.
        """
        asked, now = find_query(name), self._clock()
        bound = asked.bind(parameters, now)
        if bound.get("t", "") > clickhouse_time(now):
            raise ConfigError(f"t={bound['t']} has not come yet (it is {clickhouse_time(now)} UTC)")
        return self._store.arrow(asked.text, bound, READ_LIMITS)

    def sql(self, statement: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The answer to one statement that reads; ``{name:Type}`` in it is bound to ``parameters``."""
        return self._store.arrow(read_only(statement), parameters, READ_LIMITS)
