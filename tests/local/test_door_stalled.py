"""Clients who ask for much and do not read it."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote, unquote, urlencode, urlsplit

import psutil
import pytest
from door_users import ANALYST_PASSWORD
from http_answers import ask
from test_door_process import started
from waiting import eventually

from hindcast.local.clickhouse_door.turns import Turns

_MUCH = "SELECT number, repeat('x', 200) FROM numbers(50000000)"


@contextmanager
def unread(door: str, sql: str, names: list[str]) -> Iterator[None]:
    """A client for each query id, who asks and reads nothing."""
    parts = urlsplit(door)
    with ExitStack() as links:
        for name in names:
            link = links.enter_context(socket.socket())
            # small, so that an answer does not wait in the kernel
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.connect((parts.hostname, parts.port))
            asked = {"query": sql, "query_id": name, "password": unquote(parts.password or "")}
            link.sendall(f"GET /?{urlencode(asked)} HTTP/1.1\r\nHost: door\r\n\r\n".encode())
        yield


def _under_way(door: str, start: str) -> int:
    return int(ask(door, f"SELECT count() FROM system.processes WHERE startsWith(query_id, '{start}')").text)


def test_readers_who_do_not_read_hold_nobody_up(door: str) -> None:
    """More of them than threads, and the owner's next question is answered while all of them wait."""
    name = uuid.uuid4().hex
    with unread(door, _MUCH, [f"{name}-{place}" for place in range(24)]):
        eventually(lambda: _under_way(door, name) == 24, saying="all of them are under way")
        assert ask(door, "SELECT 1").text == "1\n"
        assert _under_way(door, name) == 24
    eventually(lambda: _under_way(door, name) == 0, saying="they have ended with their clients")


def test_inserts_wait_for_no_reader(door: str) -> None:
    """As many unread answers as there is room for, and more in line: rows are written all the same."""
    analyst = f"http://analyst:{quote(ANALYST_PASSWORD)}@127.0.0.1:{urlsplit(door).port}"
    ask(door, "CREATE TABLE IF NOT EXISTS beside (a Int64) ENGINE = MergeTree ORDER BY a")
    name = uuid.uuid4().hex
    with unread(door, _MUCH, [f"{name}-{place}" for place in range(40)]):
        eventually(lambda: _under_way(analyst, name) == 32, saying="there is no room for more")
        assert ask(door, "1\n", query="INSERT INTO beside FORMAT TSV").status == 200
        assert ask(door, "INSERT INTO beside FORMAT TSV\n2\n").status == 200
        assert _under_way(analyst, name) == 32
        assert ask(analyst, "SELECT count() FROM beside").text == "2\n"
    eventually(lambda: _under_way(door, name) == 0, saying="they have ended with their clients")


def test_answers_that_nobody_reads_cost_little_memory(door_directory: Path) -> None:
    """Sixteen of ten gigabytes each: a few blocks of every one."""
    url, program = started(door_directory)
    try:
        door = psutil.Process(program.pid)
        ask(url, "SELECT number FROM numbers(1000000)")
        before = door.memory_info().rss
        with unread(url, _MUCH, [f"unread-{place}" for place in range(16)]):
            eventually(lambda: _under_way(url, "unread") == 16, saying="all of them are under way")
            held: list[int] = []

            def stands_still() -> bool:
                held.append(door.memory_info().rss)
                return len(held) > 20 and held[-1] <= max(held[:-10])

            eventually(stands_still, saying="the door holds what it will hold")
        assert max(held) - before < 600 * 2**20
    finally:
        program.stop()


def test_clients_who_leave_the_line_let_the_running_be_ended(door: str) -> None:
    """Those who wait for a turn go first: whoever runs without writing a row is ended with its client too."""
    silent, waiting = uuid.uuid4().hex, uuid.uuid4().hex
    endless = "SELECT sum(number) FROM system.numbers SETTINGS max_threads = 1"
    analyst = f"http://analyst:{quote(ANALYST_PASSWORD)}@127.0.0.1:{urlsplit(door).port}"
    with unread(door, endless, [f"{silent}-{place}" for place in range(16)]):
        eventually(lambda: _under_way(analyst, silent) == 16, saying="every turn is taken")
        with unread(door, endless, [f"{waiting}-{place}" for place in range(8)]):
            pass
    eventually(lambda: _under_way(analyst, silent) == 0, saying="they have ended with their clients")
    assert ask(door, "SELECT 1").text == "1\n"


def test_a_turn_that_steps_aside_lets_the_next_one_begin() -> None:
    """While it goes on; as many as there are turns may, and what leaves the line is not begun."""
    turns, may_end = Turns(1, name="turn"), threading.Event()
    begun: list[int] = []

    def work(place: int) -> Callable[[], int]:
        def wait() -> int:
            begun.append(place)
            may_end.wait(30)
            return place

        return wait

    taken = [turns.take(work(place)) for place in range(4)]
    for place in range(2):
        eventually(lambda place=place: len(begun) == place + 1, saying="its turn has come")
        turns.step_aside(taken[place])
    assert begun == [0, 1]
    assert taken[2].done.cancel()
    may_end.set()
    assert [taken[place].done.result(30) for place in (0, 1, 3)] == [0, 1, 3]
    with pytest.raises(CancelledError):
        taken[2].done.result()
    assert 2 not in begun


def test_work_that_fails_gives_its_turn_back() -> None:
    """To whoever is next in line."""
    turns = Turns(1, name="turn")
    failing = turns.take(Path("/nowhere").stat)
    assert turns.take(lambda: 2).done.result(30) == 2
    with pytest.raises(FileNotFoundError):
        failing.done.result()
