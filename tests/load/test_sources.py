"""Files of rows: the same rows from any format, from any row on, in pieces; and one line for what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet
import pytest

from hindcast.load import source
from hindcast.load.source import open_source
from producers.errors import ConfigError

ROWS = 2_500


def table() -> pa.Table:
    """Numbers that say their row."""
    return pa.table(
        {"n": list(range(ROWS)), "text": [f"row {n}" for n in range(ROWS)], "unread": [1.5] * ROWS}
    )


def written(kind: str, directory: Path) -> Path:
    """That table in a format."""
    path = directory / f"rows.{kind.removesuffix(' stream')}"
    match kind:
        case "parquet":
            pyarrow.parquet.write_table(table(), path, row_group_size=999)
        case "csv":
            pyarrow.csv.write_csv(table(), path)
        case "feather":
            pyarrow.feather.write_feather(table(), path, chunksize=999)
        case "arrow stream":
            with pyarrow.ipc.new_stream(path, table().schema) as stream:
                stream.write_table(table(), max_chunksize=999)
    return path


@pytest.mark.parametrize("kind", ["parquet", "csv", "feather", "arrow stream"])
@pytest.mark.parametrize("start", [0, 1, 998, 999, 2_000, ROWS - 1, ROWS, ROWS + 5])
def test_rows_come_from_any_row_on(
    kind: str, start: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the columns asked for are read, in pieces of bounded size, and none is left out or repeated."""
    monkeypatch.setattr(source, "PIECE_ROWS", 400)
    opened = open_source(written(kind, tmp_path))
    assert opened.schema.names == ["n", "text", "unread"]
    assert opened.rows in (ROWS, None)
    pieces = list(opened.pieces(["text", "n"], start))
    assert all(piece.num_rows <= 400 and set(piece.column_names) == {"n", "text"} for piece in pieces)
    assert [n for piece in pieces for n in piece["n"].to_pylist()] == list(range(start, ROWS))


def test_large_rows_make_small_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece takes bounded memory, however large its rows are."""
    monkeypatch.setattr(source, "PIECE_BYTES", 10_000)
    wide = pa.table({"text": [f"{n:0>1000}" for n in range(100)]})
    for name, write in (
        ("a.parquet", pyarrow.parquet.write_table),
        ("a.arrow", pyarrow.feather.write_feather),
    ):
        write(wide, tmp_path / name, compression="none" if name.endswith("parquet") else "uncompressed")
        pieces = list(open_source(tmp_path / name).pieces(["text"]))
        assert max(piece.num_rows for piece in pieces) <= 20
        assert sum(piece.num_rows for piece in pieces) == 100


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.parquet", None, "cannot read {}: No such file or directory"),
        ("a.xlsx", b"", "{}: a file ending in .parquet, .csv, .arrow, .feather is wanted"),
        ("a.parquet", b"PAR1 and no more", "cannot read {}: not a file of this kind"),
        ("a.arrow", b"ARROW1 and no more", "cannot read {}: not a file of this kind"),
        ("a.csv", b"", "cannot read {}: not a file of this kind"),
    ],
)
def test_what_is_no_such_file_is_one_line(
    name: str, content: bytes | None, said: str, tmp_path: Path
) -> None:
    """A file that is not there, or not what its ending says, is named."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as refusal:
        open_source(path)
    assert str(refusal.value) == said.format(path)


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    """Damage that is met on the way is said to be that."""
    path = written("parquet", tmp_path)
    damaged = bytearray(path.read_bytes())
    damaged[100:400] = bytes(300)
    path.write_bytes(damaged)
    with pytest.raises(ConfigError, match="the file is damaged"):
        list(open_source(path).pieces(["n", "text"]))


def test_a_csv_column_of_two_types_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow judges a column by its beginning; what comes later is named by its column, never by its value."""
    monkeypatch.setattr(source, "_CSV_BLOCK", 2_000)
    path = tmp_path / "a.csv"
    path.write_text("when,n\n" + "x,1\n" * 2_000 + "x,secret\n")
    opened = open_source(path)
    for columns in (["when", "n"], ["n"]):
        with pytest.raises(ConfigError, match="column n begins as int64") as refusal:
            list(opened.pieces(columns))
        assert "secret" not in str(refusal.value)
    path.write_text("when,n\n" + "x,1\n" * 2_000 + "x,1,2\n")
    with pytest.raises(ConfigError, match="not as many values"):
        list(open_source(path).pieces(["n"]))
