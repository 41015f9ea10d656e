"""chDB as one shared engine: every request has its own connection, so settings and database never leak.

chDB allows one process per directory, and a forked child hangs; threads may query at once (it releases the GIL).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

# What connections raise is this class; `chdb.ChdbError` is another one.
from chdb._exceptions import ChdbError
from chdb.state.sqlitelike import Connection

from hindcast.local.clickhouse_door.failures import (
    QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING,
    from_engine,
    refused,
)
from hindcast.local.clickhouse_door.sessions import Sessions, leaves_a_trace
from hindcast.local.clickhouse_door.statement import first_words
from producers.errors import ConfigError

_ALWAYS: Mapping[str, str] = {
    # Written before they are acknowledged: the recorder commits offsets on the strength of the answer.
    "async_insert": "0",
    # It holds ten times the memory of an answer that waits for its reader (measured: 120 MB, not 12), for a sixth of the time.
    "output_format_parallel_formatting": "0",
}
_CONFIGURATION = Path(__file__).with_name("engine.xml")


@dataclass(frozen=True)
class Job:
    """One statement for the engine and everything that surrounds it."""

    sql: str
    output_format: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    forced: Mapping[str, str] = field(default_factory=dict)
    database: str = ""
    query_id: str = ""
    session_id: str = ""
    session_timeout_s: int = 60


@dataclass(frozen=True)
class Answer:
    """The result's bytes in its format, and what the query cost."""

    data: bytes
    read_rows: int
    read_bytes: int
    written_rows: int
    written_bytes: int
    result_rows: int
    elapsed_s: float


class Engine:
    """The only owner of one chDB directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = str(directory)
        self._sessions = Sessions(lambda: Connection(self._directory))
        self._running: set[str] = set()
        self._lock = threading.Lock()
        try:
            # Kept open: the engine begins with its first connection and ends with its last.
            self._anchor = Connection(f"{self._directory}?config-file={_CONFIGURATION}")
            self.version = self._text("SELECT version()")
            self.timezone = self._text("SELECT timezone()")
        except (ChdbError, RuntimeError) as problem:
            raise ConfigError(_why_closed(self._directory, str(problem))) from None

    def run(self, job: Job) -> Answer:
        """Run one statement to its end.

        Raises:
            QueryFailed: the engine's exception, a session that is busy or gone, or a query of this id that runs.
        """
        with self._alone(job.query_id):
            return self._run(job)

    def _run(self, job: Job) -> Answer:
        # A forced user can leave nothing behind in a session, so it needs none.
        if job.session_id and not job.forced:
            with self._sessions.hold(
                job.session_id, job.session_timeout_s, begin=leaves_a_trace(job.sql)
            ) as held:
                if held is not None:
                    return self._run_in_session(held, job)
        with self._connection() as connection:
            return self._run_on(connection, job)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        connection = Connection(self._directory)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _alone(self, query_id: str) -> Iterator[None]:
        """Whoever kills a query by its id means one."""
        with self._lock:
            if query_id in self._running:
                raise refused(
                    QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING, f"Query with id = {query_id} is already running"
                )
            self._running.add(query_id)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(query_id)

    def cancel_everything(self) -> None:
        """Ask every running query to end."""
        self._anchor.query("KILL QUERY WHERE query NOT ILIKE 'KILL QUERY%' ASYNC", "Null")

    def cancel(self, query_id: str) -> None:
        """Ask the query of this id to end."""
        with self._connection() as connection:
            connection.query(f"KILL QUERY WHERE Settings['log_comment'] = {literal(query_id)} ASYNC", "Null")

    def close(self) -> None:
        """Close all sessions and the engine; running queries must have ended."""
        self._sessions.close()
        self._anchor.close()

    def _run_on(self, connection: Connection, job: Job) -> Answer:
        started = time.perf_counter()
        try:
            for preparation in _preparations(job):
                connection.query(preparation, "Null")
            result = connection.query(job.sql, job.output_format, params=dict(job.parameters))
        except ChdbError as problem:
            raise from_engine(str(problem), self.version) from None
        return Answer(
            data=result.bytes(),
            read_rows=int(result.storage_rows_read()),
            read_bytes=int(result.storage_bytes_read()),
            written_rows=int(result.rows_written()),
            written_bytes=int(result.bytes_written()),
            result_rows=int(result.rows_read()),
            elapsed_s=time.perf_counter() - started,
        )

    def _run_in_session(self, connection: Connection, job: Job) -> Answer:
        """Run on the session's connection, and take the request's own settings and database back afterwards."""
        names = ", ".join(literal(name) for name in {**_ALWAYS, **job.settings})
        before = connection.query(
            f"SELECT name, value, changed FROM system.settings WHERE name IN ({names})", "JSONCompactEachRow"
        )
        database = _one_text(connection, "SELECT currentDatabase()") if job.database else ""
        try:
            return self._run_on(connection, job)
        finally:
            if database and first_words(job.sql.encode(), 1) != ["use"]:
                connection.query(f"USE {_identifier(database)}", "Null")
            rows = [json.loads(line) for line in before.bytes().splitlines()]
            undo = ", ".join(
                f"{name} = {literal(value) if changed else 'DEFAULT'}" for name, value, changed in rows
            )
            connection.query(f"SET {undo}", "Null")

    def _text(self, sql: str) -> str:
        return _one_text(self._anchor, sql)


def _one_text(connection: Connection, sql: str) -> str:
    return bytes(connection.query(sql, "TSVRaw").bytes()).decode().strip()


def _preparations(job: Job) -> list[str]:
    """What a connection is told before the statement: database, then settings, then what nobody may change."""
    told = [f"USE {_identifier(job.database)}"] if job.database else []
    settings = {**_ALWAYS, "log_comment": job.query_id, **job.settings}
    # Forced limits come first with readonly=1 among them, so that a client's attempt to lift them fails by itself.
    if job.forced:
        told.append(_set({"log_comment": job.query_id, **_ALWAYS, **job.forced}))
        settings = dict(job.settings)
    if settings:
        told.append(_set(settings))
    return told


def _set(settings: Mapping[str, str]) -> str:
    return "SET " + ", ".join(f"{name} = {literal(value)}" for name, value in settings.items())


def literal(text: str) -> str:
    """A ClickHouse string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _why_closed(directory: str, said: str) -> str:
    lowered = said.lower()
    if "no space left" in lowered or "not enough space" in lowered:
        return f"disk full: {directory}"
    return f"the engine cannot open {directory}: {said.splitlines()[0][:300] if said else 'no message'}"
