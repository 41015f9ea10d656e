"""Keeps two runs of `hindcast migrate` on one database apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep

from producers.errors import HindcastError
from stream_processors.clickhouse import QueryRefused, Store

# a lock that nobody renewed for so long was left behind by a run that died
LEASE_S = 30
# a renewal is a statement too, and most statements of a run take milliseconds
_RENEWED_AFTER_S = 5
_AGAIN_S = 0.2

_TABLE_EXISTS = 57

# creating a table is the one thing that ClickHouse lets exactly one of two do
_TAKE = "CREATE TABLE migrations_lock{on_cluster} (nothing UInt8) ENGINE = Memory COMMENT 'A run of hindcast migrate is at work'"
_RENEW = "ALTER TABLE migrations_lock{on_cluster} MODIFY COMMENT 'A run of hindcast migrate is at work'"
_LET_GO = "DROP TABLE IF EXISTS migrations_lock{on_cluster} SYNC"

# by the server's clock alone
_SECONDS_HELD = """
SELECT dateDiff('second', metadata_modification_time, now()) AS seconds FROM system.tables
WHERE database = currentDatabase() AND name = 'migrations_lock'
"""


@contextmanager
def migration_lock(
    store: Store,
    render: Callable[[str], str],
    *,
    said: Callable[[str], None],
    wait: Callable[[float], object] = sleep,
    clock: Callable[[], float] = monotonic,
) -> Iterator[Callable[[], None]]:
    """Hold the database's lock; gives what renews it, to be called before each statement, which has `LEASE_S` less five seconds at least.

    Another run that holds it is waited for, and said; one that died is waited for until its lease of `LEASE_S` seconds is over. Should two take over
    from a dead one in the same moment, both run: which does no harm, because every statement may be run twice.

    Args:
        store: the database, which exists.
        render: fills in a statement's place for a cluster.
        said: is told, once, that another run is waited for.
        wait: pauses for as many seconds.
        clock: seconds.
    """
    _take(store, render, said, wait)
    renewed = clock()

    def renew() -> None:
        nonlocal renewed
        if clock() - renewed >= _RENEWED_AFTER_S:
            store.command(render(_RENEW))
            renewed = clock()

    try:
        yield renew
    finally:
        # a server that is gone keeps the lock until its lease is over
        with suppress(HindcastError):
            store.command(render(_LET_GO))


def _take(
    store: Store,
    render: Callable[[str], str],
    said: Callable[[str], None],
    wait: Callable[[float], object],
) -> None:
    waited = False
    while True:
        try:
            store.command(render(_TAKE))
        except QueryRefused as fault:
            if fault.code != _TABLE_EXISTS:
                raise
        else:
            return
        held = store.rows(_SECONDS_HELD)
        if held and held[0]["seconds"] > LEASE_S:
            store.command(render(_LET_GO))
            continue
        if not waited:
            said(f"another run of migrate works on database {store.database}: waiting for its end")
            waited = True
        wait(_AGAIN_S)
