"""The one room that speaks to ClickHouse: queries and inserts over its HTTP interface."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError
from clickhouse_connect.driver.httputil import default_pool_manager
from urllib3 import Timeout

from producers.errors import ConfigError, HindcastError, StoreUnavailable
from producers.settings import LOOPBACK_HOSTS
from stream_processors.settings import ClickHouseSettings

# Its faults are raised to us; without a handler Python would print them on stderr as well, beside our one line
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())

# Faults that pass (ClickHouse's ErrorCodes.cpp): timeouts, memory, too many parts or queries, network, read-only replicas
_PASSING = {159, 160, 202, 209, 210, 236, 241, 242, 243, 252, 319, 394, 425, 439, 735, 999}
_DENIED = {192, 193, 194, 516}

# Every insert says what the server might otherwise decide (defaults changed in 2026: research, "A5")
INSERT_SETTINGS: Mapping[str, Any] = {
    "async_insert": 0,
    "deduplicate_insert": "disable",
    "wait_end_of_query": 1,
    # collapsing each block by itself takes half of an insert's time, and FINAL and merges do it anyway
    "optimize_on_insert": 0,
    # the same of statistics, which took a tenth of a large insert: merges make them
    "materialize_statistics_on_insert": 0,
}

# whoever does not say in this time that he is ClickHouse is not waited for as long as a query
_GREETING_S = 10.0
_NO_DATABASE = 81


class QueryRefused(HindcastError):
    """ClickHouse answered, and refused: a bad query or a row it does not take.

    Attributes:
        code: ClickHouse's error code, 0 where it sent none.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Store:
    """A ClickHouse database.

    Safe to use from one thread at a time; make one per thread.

    Raises:
        StoreUnavailable: it does not answer, or gives up for a reason that passes.
        ConfigError: it answers, but not to this user and password.
        QueryRefused: it refuses the query.
    """

    def __init__(
        self,
        settings: ClickHouseSettings,
        *,
        timeout: float = 120.0,
        connect_timeout: float = 5.0,
        database: str | None = None,
    ) -> None:
        self.settings = settings
        self.database = settings.database if database is None else database
        parts = settings.parts()
        local = parts["host"] in LOOPBACK_HOSTS
        try:
            self._client = clickhouse_connect.get_client(
                **parts,
                database="default",
                autogenerate_session_id=False,
                connect_timeout=connect_timeout,
                send_receive_timeout=min(timeout, _GREETING_S),
                query_retries=0,
                client_name="hindcast",
                # packing costs more than it saves where nothing leaves the machine
                compress=not local,
                # left to itself the client asks a proxy of the environment for this machine, too
                pool_mgr=default_pool_manager() if local else None,
            )
        except ClickHouseError as error:
            raise self._translated(error) from None
        # set after connecting: the client checks a database's existence, and migrations create it
        self._client.database = self.database
        self._client.timeout = Timeout(connect=connect_timeout, read=timeout)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def may_set(self, name: str) -> bool:
        """Whether this user may set a setting of that name: the server fixes some for users who only read."""
        known = self._client.server_settings.get(name)
        return known is None or not known.readonly

    def command(
        self, sql: str, parameters: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None
    ) -> Any:
        """Run a statement; returns the single value of a query that has one."""
        try:
            return self._client.command(sql, parameters=dict(parameters or {}), settings=dict(settings or {}))
        except ClickHouseError as error:
            raise self._translated(error) from None

    def arrow(
        self, sql: str, parameters: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None
    ) -> pa.Table:
        """The result as an Arrow table (strings as strings). Parameters are bound by ClickHouse, never pasted."""
        more = {
            "output_format_arrow_string_as_string": 1,
            "output_format_arrow_low_cardinality_as_dictionary": 0,
        }
        try:
            return self._client.query_arrow(
                sql, parameters=dict(parameters or {}), settings={**more, **(settings or {})}
            )
        except ClickHouseError as error:
            raise self._translated(error) from None

    def rows(
        self, sql: str, parameters: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """The result as dictionaries; for small answers."""
        rows: list[dict[str, Any]] = self.arrow(sql, parameters, settings).to_pylist()
        return rows

    def insert(
        self,
        table: str,
        rows: pa.Table,
        *,
        query_id: str,
        timeout: float = 60.0,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Insert an Arrow table synchronously under a query id of the caller's; returns when it is stored.

        Raises:
            QueryRefused: says the error code only, because ClickHouse quotes the row's values in its message.
        """
        limits = {"max_execution_time": int(timeout), "query_id": query_id}
        try:
            self._client.insert_arrow(
                table,
                rows,
                database=self.database,
                settings={**INSERT_SETTINGS, **limits, **(settings or {})},
            )
        except ClickHouseError as error:
            fault = self._translated(error)
            if isinstance(fault, QueryRefused):
                fault = QueryRefused(
                    fault.code, f"ClickHouse refuses an insert into {table} (error {fault.code})"
                )
            raise fault from None

    def running(self, query_ids: Sequence[str]) -> list[str]:
        """Which of these query ids still run on the server."""
        found = self.rows(
            "SELECT query_id FROM system.processes WHERE query_id IN {ids:Array(String)}",
            {"ids": list(query_ids)},
        )
        return [row["query_id"] for row in found]

    def _translated(self, error: ClickHouseError) -> HindcastError:
        message = reason(str(error)) or type(error).__name__
        code = int(getattr(error, "code", 0) or 0)
        if code in _DENIED:
            return ConfigError(f"ClickHouse refuses this user or password (code {code})")
        if code in _PASSING:
            return StoreUnavailable(message)
        if code == _NO_DATABASE and f" {self.database} " in message:
            return StoreUnavailable(
                f"database {self.database} does not exist (yet): `hindcast migrate` creates it"
            )
        if isinstance(error, OperationalError) and not code:
            return StoreUnavailable(
                f"ClickHouse does not answer at {self._address()}: is it running, and is HINDCAST_CLICKHOUSE its address?"
            )
        if isinstance(error, DatabaseError) or code:
            return QueryRefused(code, message)
        return StoreUnavailable(message)

    def _address(self) -> str:
        parts = self.settings.parts()
        return f"{parts['host']}:{parts['port']}"


def reason(message: str) -> str:
    """ClickHouse's own words in one line, without what client, server and address add around them.

    >>> reason("Received ClickHouse exception, code: 60, server response: Code: 60. DB::Exception: No table x. (UNKNOWN_TABLE) (version 26)")
    'No table x. (UNKNOWN_TABLE)'
    """
    told = message.rsplit("DB::Exception: ", 1)[-1]
    told = re.sub(r"\s*\((?:version|for url) .*", "", told, flags=re.DOTALL)
    name = re.search(r" \([A-Z_]+\)", told)
    told = re.split(r"\. In scope |: In scope |: While |\. While ", told)[0]
    return " ".join(told.split())[:400] + (name[0] if name and name[0] not in told else "")
