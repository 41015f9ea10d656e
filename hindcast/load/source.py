"""A file of rows, read in pieces of bounded size: Parquet, CSV, Arrow IPC (Feather). One file's rows always come in the same order."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet

from producers.errors import ConfigError

PIECE_ROWS = 50_000
PIECE_BYTES = 64 * 2**20
# Arrow judges a CSV column's type by the first block
_CSV_BLOCK = 8 * 2**20
_CSV_COLUMN = re.compile(r"In CSV column #(\d+)")


class Source(ABC):
    """Rows of a file.

    Attributes:
        path: the file.
        schema: its columns.
        rows: how many there are; None where only reading all of them would tell.
    """

    path: Path
    schema: pa.Schema
    rows: int | None

    @abstractmethod
    def pieces(self, columns: Sequence[str], start: int = 0) -> Iterator[pa.Table]:
        """Rows from number ``start`` on, with these columns, some at a time.

        Raises:
            ConfigError: the file is damaged, or a CSV column is not of one type.
        """


def open_source(path: Path) -> Source:
    """The rows of a file, by its ending.

    Raises:
        ConfigError: not there, of another ending, or not what its ending says.
    """
    kinds: dict[str, type[_Parquet | _Csv | _Arrow]] = {
        ".parquet": _Parquet,
        ".csv": _Csv,
        ".arrow": _Arrow,
        ".feather": _Arrow,
    }
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise ConfigError(f"{path}: a file ending in {', '.join(kinds)} is wanted")
    try:
        with path.open("rb"):
            return kind(path)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or 'not a file of this kind'}") from None
    except pa.ArrowException:
        raise ConfigError(f"cannot read {path}: not a file of this kind") from None


class _Parquet(Source):
    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = pyarrow.parquet.ParquetFile(path, pre_buffer=False)
        self.schema = self._file.schema_arrow
        self.rows = self._file.metadata.num_rows

    def pieces(self, columns: Sequence[str], start: int = 0) -> Iterator[pa.Table]:
        groups = [self._file.metadata.row_group(place) for place in range(self._file.num_row_groups)]
        first = 0
        while first < len(groups) and groups[first].num_rows <= start:
            start -= groups[first].num_rows
            first += 1
        size = sum(group.total_byte_size for group in groups) // max(self.rows or 0, 1)
        try:
            for batch in self._file.iter_batches(
                min(PIECE_ROWS, max(1, PIECE_BYTES // max(size, 1))),
                row_groups=list(range(first, len(groups))),
                columns=list(columns),
            ):
                if batch.num_rows > start:
                    yield pa.Table.from_batches([batch.slice(start)])
                start = max(0, start - batch.num_rows)
        except (pa.ArrowException, OSError):
            raise ConfigError(f"cannot read {self.path}: the file is damaged") from None


class _Arrow(Source):
    """Arrow IPC, as a file (Feather) or a stream."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with self._file() as file:
                self.schema = file.schema
                self.rows = sum(file.get_batch(place).num_rows for place in range(file.num_record_batches))
        except pa.ArrowInvalid:
            self.rows = None
            with pyarrow.ipc.open_stream(pa.memory_map(str(path))) as stream:
                self.schema = stream.schema

    def _file(self) -> pyarrow.ipc.RecordBatchFileReader:
        return pyarrow.ipc.open_file(pa.memory_map(str(self.path)))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if self.rows is None:
            yield from pyarrow.ipc.open_stream(pa.memory_map(str(self.path)))
            return
        with self._file() as file:
            yield from (file.get_batch(place) for place in range(file.num_record_batches))

    def pieces(self, columns: Sequence[str], start: int = 0) -> Iterator[pa.Table]:
        try:
            for batch in self._batches():
                if batch.num_rows > start:
                    yield from _cut(pa.Table.from_batches([batch]).select(list(columns)).slice(start))
                start = max(0, start - batch.num_rows)
        except (pa.ArrowException, OSError):
            raise ConfigError(f"cannot read {self.path}: the file is damaged") from None


class _Csv(Source):
    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = None
        with self._open(None) as reader:
            self.schema = reader.schema

    def _open(self, columns: Sequence[str] | None) -> pyarrow.csv.CSVStreamingReader:
        return pyarrow.csv.open_csv(
            self.path,
            pyarrow.csv.ReadOptions(block_size=_CSV_BLOCK),
            pyarrow.csv.ParseOptions(newlines_in_values=True),
            pyarrow.csv.ConvertOptions(
                include_columns=list(columns) if columns is not None else None, strings_can_be_null=True
            ),
        )

    def pieces(self, columns: Sequence[str], start: int = 0) -> Iterator[pa.Table]:
        try:
            with self._open(columns) as reader:
                for batch in reader:
                    if batch.num_rows > start:
                        yield from _cut(pa.Table.from_batches([batch]).slice(start))
                    start = max(0, start - batch.num_rows)
        except pa.ArrowException as error:
            raise ConfigError(self._problem(str(error))) from None

    def _problem(self, said: str) -> str:
        """What is wrong, without the value that Arrow shows."""
        place = _CSV_COLUMN.search(said)
        if place is None:
            return f"cannot read {self.path}: a line has not as many values as the first"
        name = self.schema.names[int(place[1])]
        return (
            f"{self.path}: column {name} begins as {self.schema.field(name).type} and holds something else "
            "further down: write the file as Parquet, whose columns have a type"
        )


def _cut(table: pa.Table) -> Iterator[pa.Table]:
    most = min(PIECE_ROWS, max(1, PIECE_BYTES * table.num_rows // max(table.nbytes, 1)))
    for start in range(0, table.num_rows, most):
        yield table.slice(start, most)
