"""`hindcast export`, `import` and `verify`: the record, or a model's part of it, to files and back."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from hindcast.cli import version
from hindcast.cli.servers import CLICKHOUSE, variables
from hindcast.demo.bars import Bars
from hindcast.interruption import Interruption
from hindcast.move.checking import check_files, check_tables, differences
from hindcast.move.expiry import expired_predictions
from hindcast.move.exporting import Export, held, rows_done
from hindcast.move.importing import Import, rows_of
from hindcast.move.manifest import Contents, read_manifest
from hindcast.move.tables import Selection
from producers.errors import ConfigError
from stream_processors.clickhouse import Store
from stream_processors.settings import ClickHouseSettings

_DIRECTORY = click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
_JSON = click.option("--json", "as_json", is_flag=True, help="Say what was done as JSON.")


class _Moment(click.ParamType):
    """A moment in ISO 8601; UTC where it names no zone."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time: one like 2024-05-31 or 2024-05-31T12:00 is wanted", param, ctx)
        try:
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except OverflowError:
            self.fail(f"{value!r} is not in the years 1 to 9999 in UTC", param, ctx)


@click.command()
@_DIRECTORY
@click.option("--model", default="", help="Only this model; every model without it.")
@click.option("--environment", default="", help="Only this environment.")
@click.option("--since", type=_Moment(), help="From this full hour on (UTC).")
@click.option("--until", type=_Moment(), help="Up to this full hour (UTC), itself not included.")
@_JSON
def export(
    directory: Path,
    *,
    model: str,
    environment: str,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> None:
    """Write the record, or a part of it, to Parquet files in a new DIRECTORY, with a manifest.

    Every table is written; with a range, predictions made in it and what is known about them. Interrupted, the same
    command goes on where it stopped. Without a manifest an export is not finished.
    """
    began = time.monotonic()
    selection = Selection(model, environment, since, until)
    asked = Interruption()
    with (
        _store() as store,
        held(directory),
        _interruptible(asked, f"the same command goes on; {directory} is not finished"),
        _bars(as_json=as_json) as bars,
    ):
        work = Export(store, directory, selection, version(), asked.check)
        unfinished = work.begin(datetime.now(UTC))
        before = rows_done(unfinished)
        about = work.total(unfinished)
        with bars.counted("exported", about) as moved:
            moved(before)
            contents = work.run(unfinished, moved)
            moved(about - contents.rows)
        later = work.of_later(datetime.now(UTC))
    if not contents.rows:
        click.echo("hindcast: the record has nothing of that: the export is empty", err=True)
    if later:
        click.echo(
            f"hindcast: {later:,} rows say that they were recorded later than now, as the clock of a recorder was ahead:"
            " they are in no export before that time has come",
            err=True,
        )
    if as_json:
        click.echo(json.dumps({**_facts(directory, contents), "seconds": round(time.monotonic() - began, 3)}))
        return
    size = sum(file.bytes for file in contents.files)
    more = f", {before:,} of them before" if before else ""
    click.echo(f"{contents.rows:,} rows in {len(contents.files)} files, {size:,} bytes, in {directory}{more}")


@click.command("import")
@_DIRECTORY
@click.option("--skip-expired", is_flag=True, help="Leave out predictions older than they are kept.")
@_JSON
def import_(directory: Path, *, skip_expired: bool, as_json: bool) -> None:
    """Read the export in DIRECTORY into the record, after its files have been checked.

    Rows that are in the record already stay there once, so that an import that was interrupted can be done again.
    """
    began = time.monotonic()
    asked = Interruption()
    with (
        _interruptible(asked, "what is in stays; the same command does the rest"),
        _bars(as_json=as_json) as bars,
    ):
        contents = _checked(directory, bars, asked)
        with _store() as store:
            now = _now()
            work = Import(store, directory, contents, now, asked.check)
            check_tables(store, contents)
            expired = expired_predictions(directory, contents, now, asked.check)
            if expired and not skip_expired:
                raise ConfigError(
                    f"{expired:,} predictions are older than they are kept, and would be deleted by the next merge:"
                    " --skip-expired leaves them out"
                )
            with bars.counted("imported", contents.rows) as moved:
                counts = work.run(moved, skip_expired=skip_expired)
    if as_json:
        facts = {"directory": str(directory), "rows": counts, "skipped": expired}
        click.echo(json.dumps({**facts, "seconds": round(time.monotonic() - began, 3)}))
        return
    more = f"; {expired:,} expired predictions left out" if expired else ""
    click.echo(f"{rows_of(counts):,} rows imported into {store.database}{more}")


@click.command()
@_DIRECTORY
@click.option(
    "--against-record", is_flag=True, help="Whether the record holds exactly the exported rows, too."
)
@_JSON
@click.pass_context
def verify(context: click.Context, directory: Path, *, against_record: bool, as_json: bool) -> None:
    """Check the files in DIRECTORY against its manifest; exits with 4 where they are damaged, with 1 where the record differs."""
    asked = Interruption()
    with _interruptible(asked, "nothing was changed"), _bars(as_json=as_json) as bars:
        contents = _checked(directory, bars, asked)
        found = []
        if against_record:
            with _store() as store, bars.stage("compared with the record"):
                check_tables(store, contents)
                found = list(differences(store, directory, contents, _now(), asked.check))
    if as_json:
        said = [asdict(one) for one in found]
        more = {"differences": said} if against_record else {}
        click.echo(json.dumps({**_facts(directory, contents), **more}))
    else:
        for one in found:
            click.echo(str(one))
        if not found:
            holds = ", and the record holds exactly these" if against_record else ""
            click.echo(f"{len(contents.files)} files as they were written, {contents.rows:,} rows{holds}")
    if found:
        context.exit(1)


def _now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def _checked(directory: Path, bars: Bars, asked: Interruption) -> Contents:
    """The manifest of an export all of whose files are as it says."""
    if not directory.is_dir():
        raise ConfigError(f"{directory} is no directory")
    contents = read_manifest(directory)
    with bars.counted("checked", sum(file.bytes for file in contents.files)) as moved:

        def read(count: int) -> None:
            asked.check()
            moved(count)

        check_files(directory, contents, read)
    return contents


def _facts(directory: Path, contents: Contents) -> dict[str, Any]:
    return {
        "directory": str(directory),
        "exported_at": contents.exported_at,
        "selection": contents.selection.model_dump(),
        "rows": {name: table.rows for name, table in contents.tables.items()},
        "files": len(contents.files),
        "bytes": sum(file.bytes for file in contents.files),
    }


@contextmanager
def _store() -> Iterator[Store]:
    # an answer of many rows takes longer than a question's
    store = Store(ClickHouseSettings.from_environment(variables(os.environ, CLICKHOUSE)), timeout=600.0)
    try:
        yield store
    finally:
        store.close()


def _bars(*, as_json: bool) -> Bars:
    return Bars(Console(stderr=True, quiet=as_json))


@contextmanager
def _interruptible(asked: Interruption, then: str) -> Iterator[Callable[[], None]]:
    """Inside, the three signals end the work, and one line says what comes then; bars are inside too, or it would stand beside one."""
    asked.raise_on_signals()
    try:
        yield asked.check
    except KeyboardInterrupt:
        click.echo(f"hindcast: interrupted; {then}", err=True)
        raise click.Abort from None
