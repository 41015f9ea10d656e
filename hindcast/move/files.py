"""Parquet files of one table: written row group by row group, each whole before it has its name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet

from hindcast.move.damage import DamagedExport
from hindcast.move.manifest import FileFacts, file_name, sync_directory
from producers.errors import ConfigError

# a file is full when it has so many bytes
FILE_BYTES = 128 * 2**20
_PIECE_ROWS = 50_000
# no row group that this version writes comes near it: pages are 32 MiB but for a single row that is larger
_GROUP_BYTES = 2 * 2**30
_PARTIAL = ".part"


class TableWriter:
    """Writes a table's rows to files in the directory, numbered from ``number`` on.

    What is not finished is gone when the context is left by an exception; what a killed process leaves has another ending.
    """

    def __init__(self, directory: Path, table: str, number: int) -> None:
        self._directory, self._table, self._number = directory, table, number
        self._writer: pyarrow.parquet.ParquetWriter | None = None
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
            self._partial.unlink(missing_ok=True)

    @property
    def _path(self) -> Path:
        return self._directory / file_name(self._table, self._number)

    @property
    def _partial(self) -> Path:
        return self._path.with_name(self._path.name + _PARTIAL)

    def write(self, rows: pa.Table) -> bool:
        """Write a row group; whether the file is full."""
        if self._writer is None:
            self._writer = pyarrow.parquet.ParquetWriter(self._partial, rows.schema, compression="zstd")
        self._writer.write_table(rows, row_group_size=max(rows.num_rows, 1))
        self._rows += rows.num_rows
        return self._partial.stat().st_size >= FILE_BYTES

    def finish(self) -> FileFacts | None:
        """End the file; None where nothing was written to it."""
        if self._writer is None:
            return None
        self._writer.close()
        self._writer = None
        with self._partial.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        facts = FileFacts(
            name=self._path.name, rows=self._rows, bytes=self._partial.stat().st_size, sha256=digest
        )
        self._partial.replace(self._path)
        sync_directory(self._directory)
        self._number, self._rows = self._number + 1, 0
        return facts


def check_file(directory: Path, facts: FileFacts, moved: Callable[[int], None]) -> None:
    """Return when the file is what the manifest says; ``moved`` is told of bytes read.

    Raises:
        DamagedExport: it is not.
        ConfigError: it cannot be read.
    """
    path = directory / facts.name
    try:
        if path.is_symlink() or not path.is_file():
            raise DamagedExport(f"{path} is missing" if not path.exists() else f"{path} is no plain file")
        if path.stat().st_size != facts.bytes:
            raise DamagedExport(
                f"{path} has {path.stat().st_size:,} bytes, and {facts.bytes:,} in the manifest"
            )
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(2**20):
                digest.update(piece)
                moved(len(piece))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    if digest.hexdigest() != facts.sha256:
        raise DamagedExport(f"{path} is not as it was written: its hash is another than in the manifest")


def check_form(directory: Path, facts: FileFacts, columns: set[str]) -> None:
    """Return when a file has the rows and columns that the manifest says, by what it says of itself.

    Raises:
        DamagedExport: it has not, or is no Parquet.
    """
    path = directory / facts.name
    with opened(path) as file:
        if file.metadata.num_rows != facts.rows:
            raise DamagedExport(
                f"{path} has {file.metadata.num_rows:,} rows, and {facts.rows:,} in the manifest"
            )
        names = file.schema_arrow.names
        if set(names) != columns or len(names) != len(columns):
            raise DamagedExport(f"{path} has other columns than the manifest says")
        for number in range(file.num_row_groups):
            if file.metadata.row_group(number).total_byte_size > _GROUP_BYTES:
                raise DamagedExport(f"{path} has a row group too large to be read safely")


def opened(path: Path) -> pyarrow.parquet.ParquetFile:
    """The file as Parquet.

    Raises:
        DamagedExport: it is none, or cannot be read.
    """
    try:
        return pyarrow.parquet.ParquetFile(path, pre_buffer=False)
    except (OSError, pa.ArrowException):
        raise DamagedExport(f"{path} is no Parquet file that can be read") from None


def pieces(path: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The rows, some at a time, never more than a row group.

    Raises:
        DamagedExport: it is no Parquet.
    """
    with opened(path) as file:
        try:
            for batch in file.iter_batches(batch_size=_PIECE_ROWS, columns=columns):
                yield pa.Table.from_batches([batch])
        except (OSError, pa.ArrowException):
            raise DamagedExport(f"{path} is no Parquet file that can be read") from None
