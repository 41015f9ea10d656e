"""A file of rows, read in pieces of bounded size: Parquet, CSV, Arrow IPC (Feather). One file's rows always come in the same order."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet

from hindcast.load.csv_columns import typed
from producers.errors import ConfigError, InvalidEvent

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
    def pieces(
        self, columns: Sequence[str], start: int = 0, as_written: Collection[str] = ()
    ) -> Iterator[pa.Table]:
        """Rows from number ``start`` on, with these columns, some at a time.

        Args:
            columns: their names.
            start: the first row.
            as_written: those of them that are texts whatever they look like, where a file has no types (CSV).

        Raises:
            ConfigError: the file is damaged, or a CSV column is not of one type, or would change.
        """


def open_source(path: Path, nulls: Sequence[str] = ()) -> Source:
    """The rows of a file, by its ending. ``nulls`` are words of a CSV file that stand for nothing.

    Raises:
        ConfigError: not there, of another ending, or not what its ending says; words for a file that has nulls of its own.
    """
    kinds: dict[str, Callable[[Path], Source]] = {
        ".parquet": _Parquet,
        ".csv": lambda path: _Csv(path, nulls),
        ".arrow": _Arrow,
        ".feather": _Arrow,
    }
    ending = path.suffix.lower()
    if ending not in kinds:
        raise ConfigError(f"{path}: a file ending in {', '.join(kinds)} is wanted")
    if nulls and ending != ".csv":
        raise ConfigError(f"--null is for CSV: {path} has nulls of its own")
    try:
        with path.open("rb"):
            return kinds[ending](path)
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

    def pieces(
        self, columns: Sequence[str], start: int = 0, as_written: Collection[str] = ()
    ) -> Iterator[pa.Table]:
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

    def pieces(
        self, columns: Sequence[str], start: int = 0, as_written: Collection[str] = ()
    ) -> Iterator[pa.Table]:
        try:
            for batch in self._batches():
                if batch.num_rows > start:
                    yield from _cut(pa.Table.from_batches([batch]).select(list(columns)).slice(start))
                start = max(0, start - batch.num_rows)
        except (pa.ArrowException, OSError):
            raise ConfigError(f"cannot read {self.path}: the file is damaged") from None


class _Csv(Source):
    """CSV, of which all is read as text: Arrow's own conversion makes 7 of 007, and of a large number another one.

    Without quotes an empty cell is null, and so is a word that was named as one. In quotes only the empty word is, if named.
    """

    def __init__(self, path: Path, nulls: Sequence[str]) -> None:
        self.path = path
        self.rows = None
        self._nulls = nulls
        with self._open(quoted_strings_can_be_null=True) as reader:
            self.schema = reader.schema

    def _open(self, **how: Any) -> pyarrow.csv.CSVStreamingReader:
        return pyarrow.csv.open_csv(
            self.path,
            pyarrow.csv.ReadOptions(block_size=_CSV_BLOCK),
            pyarrow.csv.ParseOptions(newlines_in_values=True),
            pyarrow.csv.ConvertOptions(null_values=["", *self._nulls], strings_can_be_null=True, **how),
        )

    def pieces(
        self, columns: Sequence[str], start: int = 0, as_written: Collection[str] = ()
    ) -> Iterator[pa.Table]:
        at = 0
        try:
            with self._open(
                include_columns=list(columns),
                column_types=dict.fromkeys(columns, pa.string()),
                quoted_strings_can_be_null=False,
            ) as reader:
                for batch in reader:
                    skipped = min(max(0, start - at), batch.num_rows)
                    if batch.num_rows > skipped:
                        texts = pa.Table.from_batches([batch]).slice(skipped)
                        yield from _cut(self._typed(texts, at + skipped, as_written))
                    at += batch.num_rows
        except pa.ArrowException as error:
            raise ConfigError(self._problem(str(error))) from None

    def _typed(self, texts: pa.Table, start: int, as_written: Collection[str]) -> pa.Table:
        """Rows from number ``start`` on, of the types that the file's beginning has."""
        found = {}
        for name in texts.column_names:
            written = texts[name]
            if "" in self._nulls:
                written = pc.if_else(pc.equal(written, ""), pa.scalar(None, pa.string()), written)
            try:
                kind = self.schema.field(name).type
                found[name] = written if name in as_written else typed(name, written, kind, self._nulls)
            except InvalidEvent as error:
                where = "" if error.row is None else f" (in row {start + error.row:,})"
                raise ConfigError(f"{self.path}: column {name} {error.problem}{where}") from None
        return pa.table(found)

    def _problem(self, said: str) -> str:
        """What is wrong, without the value that Arrow may show."""
        place = _CSV_COLUMN.search(said)
        if place is None:
            return f"cannot read {self.path}: a line has not as many values as the first"
        return f"{self.path}: column {self.schema.names[int(place[1])]} is not UTF-8 text: save the file as UTF-8"


def _cut(table: pa.Table) -> Iterator[pa.Table]:
    most = min(PIECE_ROWS, max(1, PIECE_BYTES * table.num_rows // max(table.nbytes, 1)))
    for start in range(0, table.num_rows, most):
        yield table.slice(start, most)
