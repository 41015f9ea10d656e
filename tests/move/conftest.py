"""A record with a row and more in every table, an empty one beside it, and a directory for what moves between them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from every_table import fill
from moving import Hindcast, Told
from recorded_rows import Recorder, migrated_record

from hindcast.__main__ import run


@pytest.fixture(scope="session")
def source(clickhouse: str) -> Iterator[Recorder]:
    """A record with rows of two models in every table; it is not written to."""
    with migrated_record(clickhouse) as record:
        fill(record)
        yield record


@pytest.fixture(scope="session")
def _emptied(clickhouse: str) -> Iterator[Recorder]:
    with migrated_record(clickhouse) as record:
        yield record


@pytest.fixture
def target(_emptied: Recorder) -> Iterator[Recorder]:
    """A record of the same version without a row."""
    yield _emptied
    for table in _emptied.store.rows(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows > 0 AND name != 'migrations'"
    ):
        _emptied.store.command(f"TRUNCATE TABLE `{table['name']}` SYNC")


@pytest.fixture
def hindcast(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Hindcast:
    """Runs a command on a record."""

    def call(record: Recorder, *arguments: str | Path) -> Told:
        monkeypatch.setenv("HINDCAST_CLICKHOUSE", record.store.settings.url)
        monkeypatch.setenv("HINDCAST_DATABASE", record.store.database)
        capfd.readouterr()
        code = run([str(one) for one in arguments])
        said = capfd.readouterr()
        return Told(code, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def whole(source: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of everything; it is not changed."""
    directory = tmp_path_factory.mktemp("whole") / "export"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HINDCAST_CLICKHOUSE", source.store.settings.url)
        patched.setenv("HINDCAST_DATABASE", source.store.database)
        assert run(["export", str(directory)]) == 0
    return directory


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    directory = tmp_path / "copied"
    shutil.copytree(whole, directory)
    return directory
