"""Fixtures that every room's tests share: the two servers, and names that no other test uses."""

from __future__ import annotations

import os
import signal
import sys
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import settings
from kafka_topics import delete_topics
from services import running_clickhouse, running_kafka

# A processor that a test starts would compile all that it imports, again for each process, where it may not keep that.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# nor need the tests themselves, whose assertions pytest rewrites, be compiled by every run
sys.dont_write_bytecode = False

# What a shell runs in its background ignores Ctrl-C, and so would every command that a test starts to interrupt it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_HANDLERS = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

# A test never asserts how long it took: a busy machine would fail it.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


# rooms with files that take half a minute and more
_LONG = {"docs", "faults", "gateway", "joiner", "load", "local", "monitor", "move", "profiler", "reconciliation", "recorder"}  # fmt: skip


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest and end with files of seconds: three run at a time, and nobody should wait for one at the end.

    The two whole roads, which keep both cores busy, do not run beside each other.
    """
    items.sort(key=lambda item: _turn(item.path))


def _turn(path: Path) -> int:
    if path.parent.name == "road":
        return 2 if path.stem == "test_demo" else 0
    return 1 if path.parent.name in _LONG else 3


@pytest.fixture(autouse=True)
def _signals_stay() -> Iterator[None]:
    """A command that is run in this process, by a test or by a fixture of many, sets handlers; a test, and what it forks, has none of them."""
    _set_handlers()
    yield
    _set_handlers()


def _set_handlers() -> None:
    for number, handler in _HANDLERS.items():
        if handler is not None:  # that of a library written in C
            signal.signal(number, handler)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of a real Kafka; started when the first test asks. A Kafka that does not start fails it."""
    with running_kafka(tmp_path_factory.mktemp("kafka")) as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real ClickHouse engine, like http://user:password@host:port; started when the first test asks."""
    with running_clickhouse(tmp_path_factory.mktemp("clickhouse")) as url:
        yield url


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """A prefix for topics and groups that no other test uses; its topics are deleted after the test."""
    prefix = f"t{uuid.uuid4().hex[:10]}"
    yield prefix
    if "kafka" in request.fixturenames:
        delete_topics(request.getfixturevalue("kafka"), prefix)


@pytest.fixture
def database(clickhouse: str) -> Iterator[str]:
    """The name of a database that does not exist yet and is dropped after the test."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    yield name
    parts = urlsplit(clickhouse)
    who = f"{unquote(parts.username or 'default')}:{unquote(parts.password or '')}"
    request = urllib.request.Request(
        f"{parts.scheme}://{parts.hostname}:{parts.port}/",
        data=f"DROP DATABASE IF EXISTS {name} SYNC".encode(),
        headers={"Authorization": "Basic " + b64encode(who.encode()).decode()},
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        reply.read()
