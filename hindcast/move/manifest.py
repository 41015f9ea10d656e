"""What an export holds, and how much of it is done: two JSON files of the same form beside the data."""

from __future__ import annotations

import hashlib
import json
import os
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hindcast.move.damage import DamagedExport
from hindcast.move.tables import BY_NAME, Selection
from producers.errors import ConfigError

MANIFEST, UNFINISHED = "manifest.json", "unfinished.json"
FORMAT = 1
_FILE = re.compile(r"([a-z_]+)-(\d{5,})\.parquet")
# no manifest that this version writes comes near it
_MOST_BYTES = 256 * 2**20

Count = Annotated[int, Field(ge=0)]
Form = TypeVar("Form", bound="_Strict")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class FileFacts(_Strict):
    """One file of rows: its name in the directory, and what it must be."""

    name: str
    rows: Count
    bytes: Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @field_validator("name")
    @classmethod
    def _is_a_plain_name(cls, name: str) -> str:
        if not _FILE.fullmatch(name):
            raise ValueError("names a file that is not of this directory")
        return name


class TableFacts(_Strict):
    """The rows of one table.

    Attributes:
        columns: column → its type in ClickHouse.
        rows: how many there are.
        digest: the sum of the rows' hashes, modulo 2^64.
        topic_ids: Kafka topics that they came from.
        files: where they are.
    """

    columns: dict[str, str]
    rows: Count = 0
    digest: Count = 0
    topic_ids: list[str] = []
    files: list[FileFacts] = []


class Chosen(_Strict):
    """The selection, as text."""

    model: str = ""
    environment: str = ""
    since: str | None = None
    until: str | None = None

    @model_validator(mode="after")
    def _can_be_one(self) -> Self:
        try:
            self.selection()
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self

    @classmethod
    def of(cls, selection: Selection) -> Chosen:
        """The text of a selection."""
        return cls(
            model=selection.model,
            environment=selection.environment,
            since=_iso(selection.since),
            until=_iso(selection.until),
        )

    def selection(self) -> Selection:
        """The selection."""
        since, until = (None if text is None else _moment(text) for text in (self.since, self.until))
        return Selection(self.model, self.environment, since, until)


class Contents(_Strict):
    """What an export holds.

    Attributes:
        format: of these files.
        hindcast: the version that wrote them.
        exported_at: the moment of the export; rows recorded later are not in it.
        source: ClickHouse's UUID of the database it was made from.
        database: that one's name.
        migration: number of its last migration.
        selection: what was meant.
        tables: table → its rows.
    """

    format: int = FORMAT
    hindcast: str
    exported_at: str
    source: str
    database: str
    migration: int
    selection: Chosen
    tables: dict[str, TableFacts] = {}

    @field_validator("exported_at")
    @classmethod
    def _is_a_moment(cls, text: str) -> str:
        if datetime.fromisoformat(text).tzinfo is None:
            raise ValueError("a time without zone")
        _moment(text)
        return text

    @property
    def moment(self) -> datetime:
        """The moment of the export."""
        return _moment(self.exported_at)

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables.values())

    @property
    def files(self) -> list[FileFacts]:
        """Files of all tables."""
        return [file for table in self.tables.values() for file in table.files]


class Cursor(_Strict):
    """How far a table is read: slices as (first day, day after the last), the slice, and the sort key of the last row that is on disk."""

    table: str
    slices: list[tuple[str | None, str | None]]
    place: int = 0
    last: list[str] = []

    def days(self) -> list[tuple[date | None, date | None]]:
        """The slices as dates."""
        return [
            tuple(date.fromisoformat(day) if day else None for day in pair)  # type: ignore[misc]  # two of them
            for pair in self.slices
        ]


class Unfinished(_Strict):
    """An export that is not done: what is, and where it goes on. Tables before the cursor's are whole."""

    contents: Contents
    cursor: Cursor | None = None


def write_manifest(directory: Path, contents: Contents) -> None:
    """Write the manifest, whole or not at all; it ends with the SHA-256 of the rest."""
    body = contents.model_dump(mode="json")
    _replace(directory / MANIFEST, {**body, "sha256": _digest(body)}, sure=True)


def write_unfinished(directory: Path, unfinished: Unfinished) -> None:
    """Keep how far an export is. A power cut may lose it, a killed process does not."""
    _replace(directory / UNFINISHED, unfinished.model_dump(mode="json"), sure=False)


def read_manifest(directory: Path) -> Contents:
    """The manifest of a finished export.

    Raises:
        DamagedExport: it is not what this version or any before it wrote.
        ConfigError: there is none, or a newer version wrote it.
    """
    path = directory / MANIFEST
    if not path.exists() and (directory / UNFINISHED).exists():
        raise ConfigError(
            f"{directory} holds an export that is not finished: the same `hindcast export` finishes it"
        )
    body = _read(path)
    if isinstance(body.get("format"), int) and body["format"] > FORMAT:
        raise ConfigError(f"{path} was written by a newer version of Hindcast")
    said = body.pop("sha256", None)
    if said != _digest(body):
        raise DamagedExport(f"{path} is not as it was written: its own hash does not fit")
    contents = _parsed(Contents, body, path)
    _check_tables(contents, path)
    return contents


def read_unfinished(directory: Path) -> Unfinished | None:
    """How far an export is; None where none was begun.

    Raises:
        DamagedExport: the file is not what an export writes.
    """
    path = directory / UNFINISHED
    return _parsed(Unfinished, _read(path), path) if path.exists() else None


def forget_unfinished(directory: Path) -> None:
    """The export is done."""
    (directory / UNFINISHED).unlink(missing_ok=True)


def file_name(table: str, number: int) -> str:
    """The name of a table's file."""
    return f"{table}-{number:05d}.parquet"


def _check_tables(contents: Contents, path: Path) -> None:
    names = [file.name for file in contents.files]
    if len(set(names)) < len(names):
        raise DamagedExport(f"{path} names a file twice")
    for name, table in contents.tables.items():
        if name not in BY_NAME:
            raise DamagedExport(f"{path} names a table {name[:40]!r}, which the record does not have")
        strangers = [file.name for file in table.files if not file.name.startswith(f"{name}-")]
        if strangers:
            raise DamagedExport(f"{path} names {strangers[0]} as a file of {name}")
        if sum(file.rows for file in table.files) != table.rows:
            raise DamagedExport(f"{path} is at odds with itself: the rows of {name} do not add up")


def _parsed(form: type[Form], body: Any, path: Path) -> Form:
    try:
        return form.model_validate_json(json.dumps(body))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])[:80]
        raise DamagedExport(f"{path}: {place}: {first['msg'].removeprefix('Value error, ')}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DamagedExport(f"{path} is too large for what it should be")
        body = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise DamagedExport(f"{path} is not JSON") from None
    if not isinstance(body, dict):
        raise DamagedExport(f"{path} is not what an export writes")
    return body


def _replace(path: Path, body: Any, *, sure: bool) -> None:
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(json.dumps(body, indent=1, ensure_ascii=False).encode() + b"\n")
        file.flush()
        if sure:
            os.fsync(file.fileno())
    new.replace(path)
    if sure:
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Names in the directory are on disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(body: dict[str, Any]) -> str:
    plain = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text} is not in the years 1 to 9999 in UTC") from None
