"""Exports that somebody or something has changed: refused in one line before a row is read in."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moving import Hindcast
from recorded_rows import Recorder

LABELS = "labels-00000.parquet"


def forged(directory: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest as somebody would who knows how its hash is made."""
    path = directory / "manifest.json"
    body = json.loads(path.read_text())
    del body["sha256"]
    change(body)
    plain = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    path.write_text(json.dumps({**body, "sha256": hashlib.sha256(plain).hexdigest()}))


def _labels(body: dict[str, Any]) -> dict[str, Any]:
    return _of(body, "labels")


def _of(body: dict[str, Any], table: str) -> dict[str, Any]:
    found: dict[str, Any] = body["tables"][table]
    return found


def rewritten(directory: Path, change: Callable[[pa.Table], pa.Table], table: str = "labels") -> None:
    """Other rows in a file, and a manifest that fits."""
    path = directory / f"{table}-00000.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    content = path.read_bytes()
    new = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    forged(directory, lambda body: _of(body, table)["files"][0].update(new))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _named(name: str) -> Callable[[Path], None]:
    return lambda where: forged(where, lambda body: _labels(body)["files"][0].update(name=name))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a changed byte": (lambda where: _flip(where / LABELS), "its hash is another than in the manifest"),
    "a cut file": (lambda where: os.truncate(where / LABELS, 100), "has 100 bytes, and "),
    "a missing file": (lambda where: (where / LABELS).unlink(), "labels-00000.parquet is missing"),
    "an extra file": (lambda where: (where / "more.txt").touch(), "more.txt is not in the manifest"),
    "a link": (
        lambda where: ((where / LABELS).rename(where.parent / "x"), (where / LABELS).symlink_to("../x")),
        "is no plain file",
    ),
    "no manifest": (lambda where: (where / "manifest.json").unlink(), "No such file"),
    "a cut manifest": (lambda where: os.truncate(where / "manifest.json", 500), "is not JSON"),
    "a list": (lambda where: (where / "manifest.json").write_text("[]"), "is not what an export writes"),
    "a changed count": (
        lambda where: (where / "manifest.json").write_text(
            (where / "manifest.json").read_text().replace('"rows": 82', '"rows": 81')
        ),
        "its own hash does not fit",
    ),
    "a path outside": (_named("../outside-00000.parquet"), "names a file that is not of this directory"),
    "an absolute path": (_named("/etc/passwd"), "names a file that is not of this directory"),
    "another table's file": (_named("quality-00000.parquet"), "names a file twice"),
    "a newer form": (
        lambda where: forged(where, lambda body: body.update(format=2)),
        "written by a newer version",
    ),
    "an unknown field": (lambda where: forged(where, lambda body: body.update(more=1)), "more: "),
    "an unknown table": (
        lambda where: forged(where, lambda body: body["tables"].update(users=_labels(body))),
        "names a file twice",
    ),
    "a table of no record": (
        lambda where: forged(
            where, lambda body: body["tables"].update(users={"columns": {}, "rows": 0, "digest": 0})
        ),
        "names a table 'users', which the record does not have",
    ),
    "a wrong sum": (
        lambda where: forged(where, lambda body: _labels(body).update(rows=1)),
        "the rows of labels do not add up",
    ),
    "no time": (lambda where: forged(where, lambda body: body.update(exported_at="soon")), "exported_at: "),
    "a range of no calendar": (
        lambda where: forged(where, lambda body: body["selection"].update(since="0001-01-01T00:00:00+14:00")),
        "selection: 0001-01-01T00:00:00+14:00 is not in the years 1 to 9999 in UTC",
    ),
    "a moment of no calendar": (
        lambda where: forged(where, lambda body: body.update(exported_at="9999-12-31T23:59:59-23:00")),
        "exported_at: 9999-12-31T23:59:59-23:00 is not in the years 1 to 9999 in UTC",
    ),
    "no range": (
        lambda where: forged(where, lambda body: body["selection"].update(since="soon")),
        "selection: ",
    ),
    "no Parquet": (
        lambda where: (
            (where / LABELS).write_bytes(b"x"),
            forged(
                where,
                lambda body: _labels(body)["files"][0].update(
                    bytes=1, sha256=hashlib.sha256(b"x").hexdigest()
                ),
            ),
        ),
        "is no Parquet file that can be read",
    ),
    "fewer rows": (
        lambda where: rewritten(where, lambda rows: rows.slice(1)),
        "has 81 rows, and 82 in the manifest",
    ),
    "another column": (
        lambda where: rewritten(where, lambda rows: rows.drop_columns(["source"])),
        "has other columns than the manifest says",
    ),
}
# what may be whole, and cannot be used here
NO_DAMAGE = {"no manifest", "a newer form"}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_export_is_refused(target: Recorder, hindcast: Hindcast, copied: Path, kind: str) -> None:
    """By verify and by import, with the reason and an exit code of its own, and nothing is in."""
    damage, reason = DAMAGE[kind]
    damage(copied)
    for command in ("verify", "import"):
        told = hindcast(target, command, copied)
        assert told.code == (2 if kind in NO_DAMAGE else 4)
        assert ("damaged export: " in told.line) == (kind not in NO_DAMAGE)
        assert reason in told.line
    assert target.store.command("SELECT count() FROM contracts") == 0


@pytest.mark.parametrize(
    ("table", "column", "kind", "value"),
    [
        ("labels", "reported_at", pa.string(), "never"),
        ("labels", "reported_at", pa.string(), None),
        ("labels", "model", pa.string(), None),
        ("predictions", "event_time", pa.timestamp("us", "UTC"), None),
        ("predictions", "retention_days", pa.uint32(), None),
    ],
)
def test_rows_of_another_type_are_refused(
    target: Recorder, hindcast: Hindcast, copied: Path, table: str, column: str, kind: pa.DataType, value: Any
) -> None:
    """A file that is what its manifest says, and has words for times, or nulls where the record knows none: they would be empty values."""

    def change(rows: pa.Table) -> pa.Table:
        place = rows.schema.get_field_index(column)
        return rows.set_column(place, column, pa.array([value] * rows.num_rows, kind))

    rewritten(copied, change, table)
    told = hindcast(target, "import", copied)
    assert told.code == 1
    assert f"{table}-00000.parquet: ClickHouse refuses an insert into {table}" in told.line
    assert target.store.command(f"SELECT count() FROM {table}") == 0


@pytest.mark.parametrize("column", ["nothing", "_version", "a`b"])
def test_columns_that_the_record_does_not_have_are_refused(
    target: Recorder, hindcast: Hindcast, copied: Path, column: str
) -> None:
    """Also one that the record makes itself: a version of one's own would win over every other."""
    forged(copied, lambda body: _labels(body)["columns"].update({column: "String"}))
    rewritten(copied, lambda rows: rows.append_column(column, pa.array(["x"] * len(rows))))
    for command in (["import"], ["verify", "--against-record"]):
        assert f"labels has no column '{column}'" in hindcast(target, *command, copied).line


def test_an_export_of_a_newer_record_waits(target: Recorder, hindcast: Hindcast, copied: Path) -> None:
    """An older record would lose columns."""
    forged(copied, lambda body: body.update(migration=999))
    assert "the export is of migration 0999" in hindcast(target, "import", copied).line


def test_ranges_are_of_whole_hours(target: Recorder, hindcast: Hindcast, tmp_path: Path) -> None:
    """Producers keep their accounts by hours, and an empty range is a slip."""
    here = tmp_path / "new"
    for since, until, reason in (
        ("2024-01-01T00:30", "2024-01-02", "begins and ends at a full hour"),
        ("2024-01-02", "2024-01-02", "the range is empty"),
        ("soon", "2024-01-02", "'soon' is no time"),
    ):
        assert reason in hindcast(target, "export", here, "--since", since, "--until", until).line
    assert not here.exists()
