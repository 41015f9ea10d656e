"""The ClickHouse door itself, also where the other tests run on a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from door_users import ANALYST_PASSWORD, PASSWORD

from hindcast.local.clickhouse import pings, prepare_clickhouse
from hindcast.local.program import Running


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a door with an owner's and an analyst's password."""
    directory = tmp_path_factory.mktemp("door")
    url, program = prepare_clickhouse(directory, password=PASSWORD, analyst_password=ANALYST_PASSWORD)
    running = Running(program)
    try:
        running.wait_until(lambda: pings(url), within=60)
        yield url
    finally:
        running.stop()


@pytest.fixture
def door_directory(tmp_path: Path) -> Path:
    """A directory for a door of one's own."""
    return tmp_path / "door"
