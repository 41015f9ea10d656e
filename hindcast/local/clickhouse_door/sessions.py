"""Sessions: a connection kept between requests, from the first statement that leaves something in it.

Many clients send a session id with every request and never use the session; those cost nothing here and may query in
parallel.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from chdb.state.sqlitelike import Connection

from hindcast.local.clickhouse_door.failures import SESSION_IS_LOCKED, refused
from hindcast.local.clickhouse_door.statement import first_words


@dataclass
class _Session:
    connection: Connection
    expires_at: float
    lock: threading.Lock = field(default_factory=threading.Lock)


class Sessions:
    """Open sessions by id; one statement at a time in each."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._open: dict[str, _Session] = {}
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, name: str, timeout_s: int, *, begin: bool) -> Iterator[Connection | None]:
        """The session's connection for one statement; None when there is none yet and `begin` is false.

        Raises:
            QueryFailed: another statement of this session runs.
        """
        session = self._find(name, timeout_s, begin=begin)
        if session is None:
            yield None
            return
        if not session.lock.acquire(blocking=False):
            raise refused(SESSION_IS_LOCKED, f"Session {name} is locked by a concurrent client")
        try:
            yield session.connection
        finally:
            session.expires_at = time.monotonic() + timeout_s
            session.lock.release()

    def close(self) -> None:
        """End every session."""
        with self._lock:
            for session in self._open.values():
                session.connection.close()
            self._open.clear()

    def _find(self, name: str, timeout_s: int, *, begin: bool) -> _Session | None:
        now = time.monotonic()
        with self._lock:
            for old in [key for key, session in self._open.items() if session.expires_at < now]:
                if self._open[old].lock.acquire(blocking=False):
                    self._open.pop(old).connection.close()
            session = self._open.get(name)
            if session is None and begin:
                session = self._open[name] = _Session(self._connect(), now + timeout_s)
            if session is not None:
                session.expires_at = now + timeout_s
            return session


def leaves_a_trace(sql: str) -> bool:
    """Whether later statements of the session would see an effect of this one that others must not."""
    words = first_words(sql.encode(), 4)
    return words[:1] in (["set"], ["use"]) or (words[:1] == ["create"] and "temporary" in words)
