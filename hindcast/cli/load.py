"""`hindcast load`: history from a file into the record."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from hindcast.cli.answers import json_value
from hindcast.cli.load_options import column_options, mapping_of
from hindcast.cli.servers import KAFKA, variables
from hindcast.demo.bars import Bars
from hindcast.interruption import Interruption
from hindcast.load.file_rows import FileRows
from hindcast.load.loader import Load, digest_of
from hindcast.load.mapping import FileMapping, LoadMapping
from hindcast.load.retention import Keeper
from hindcast.load.source import Source, open_source
from hindcast.load.state import LoadState, Progress
from producers import PredictionLogger
from producers.errors import ConfigError
from producers.settings import KafkaSettings
from producers.testing import MemorySink
from stream_processors.contracts.follower import ContractFollower
from stream_processors.topic_ids import topic_ids

_OURS = ("producer_id", "sequence")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--model", required=True, help="The model that all rows are about.")
@column_options
@click.option(
    "--skip-expired", is_flag=True, help="Leave out predictions older than the model's contract keeps."
)
@click.option("--skip-unlabelled", is_flag=True, help="Leave out labels without a truth.")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to keep how far it has come; beside FILE without it.",
)
@click.option("--again", is_flag=True, help="Load from the first row, whatever was loaded before.")
@click.option("--dry-run", is_flag=True, help="Check the options against FILE, and show the first event.")
@click.option("--json", "as_json", is_flag=True, help="Say what was done as JSON.")
def load(
    file: Path,
    model: str,
    *,
    skip_expired: bool,
    skip_unlabelled: bool,
    state_dir: Path | None,
    again: bool,
    dry_run: bool,
    as_json: bool,
    **columns: Any,
) -> None:
    """Load history from FILE (Parquet, CSV, Arrow) into the record, as a backfill.

    A field is what events have: event_time, prediction_id, score, decision, entity_id, …; of labels prediction_id,
    reported_at, truth, truth_value, …. A column that has a field's name is that field. Interrupted, the same command goes
    on where it stopped; rows without an id get one made from FILE's content, so that nothing is recorded twice.
    """
    began = time.monotonic()
    asked = mapping_of(model, **columns)
    source = open_source(file, asked.nulls)
    mapping = FileMapping(asked, source.schema, file.name)
    with Bars(Console(stderr=True, quiet=as_json)) as bars:
        with bars.counted("read", file.stat().st_size) as moved:
            digest = digest_of(file, moved)
        events = FileRows(mapping, digest)
        if dry_run:
            _show(mapping, _first_event(source, events), as_json=as_json)
            return
        settings = KafkaSettings.from_environment(variables(os.environ, KAFKA))
        state = _state(file, settings, asked, digest, state_dir)
        if again:
            state.forget()
        before, interruption = state.progress, Interruption()
        keeper = _keeper(settings, asked)
        load = Load(source, events, keeper, interruption.check, skip_expired, skip_unlabelled)
        interruption.raise_on_signals()
        interrupted = not before.done and not _done(load, state, settings, bars)
    if interrupted:
        rows = state.progress.rows
        click.echo(f"hindcast: interrupted after row {rows:,}; the same command goes on from there", err=True)
        raise click.Abort
    _say(file, asked, before, state.progress, time.monotonic() - began, as_json=as_json)


def _first_event(source: Source, events: FileRows) -> dict[str, Any]:
    """The first row as it would be sent."""
    mapping = events.mapping
    piece = next(source.pieces(mapping.needed, as_written=mapping.as_written), None)
    if piece is None:
        raise ConfigError(f"{source.path} has no rows")
    table, asked, sink = events.prepared(piece.slice(0, 1), 0), mapping.asked, MemorySink()
    events.rows(table, 0)
    with PredictionLogger(model=asked.model, categorical=asked.categorical, sink=sink, spool="") as log:
        send: Any = log.predictions if asked.name == "prediction" else log.labels
        send(table, **events.arguments())
        log.flush()
    (record,) = sink.records(f"{asked.name}s")
    said = {
        name: value for name, value in record.items() if value not in (None, {}, "") and name not in _OURS
    }
    return {name: json_value(value) for name, value in said.items()}


def _show(mapping: FileMapping, event: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"columns": mapping.columns, "event": event}, ensure_ascii=False))
        return
    for name, column in mapping.columns.items():
        click.echo(f"{name} is column {column}")
    click.echo(f"the first event: {json.dumps(event, indent=2, ensure_ascii=False)}")


def _state(
    file: Path, settings: KafkaSettings, asked: LoadMapping, digest: str, directory: Path | None
) -> LoadState:
    """The state of this load: of this content, with this mapping, into this topic."""
    topic = settings.topic(f"{asked.name}s")
    (topic_id,) = topic_ids(settings, [topic]).values()
    key = hashlib.sha256(f"{digest} {asked.digest()} {topic_id}".encode()).hexdigest()[:12]
    facts: dict[str, object] = {
        "file": file.name,
        "sha256": digest,
        "topic": topic,
        "topic_id": topic_id,
        "model": asked.model,
    }
    return LoadState((directory or file.parent) / f"{file.name}.load-{key}", facts)


def _keeper(settings: KafkaSettings, asked: LoadMapping) -> Keeper | None:
    if asked.name == "label":
        return None
    with ContractFollower(settings) as follower:
        follower.catch_up()
        return Keeper(follower.history, asked.model, _now())


def _done(what: Load, state: LoadState, settings: KafkaSettings, bars: Bars) -> bool:
    """Check what was not checked, send what was not sent; false where somebody interrupts before all is done."""
    asked = what.events.mapping.asked
    try:
        if not state.progress.checked:
            with bars.counted("checked", what.source.rows) as moved:
                total = what.check(_now(), moved)
            state.save(checked=True, total=total)
        log = PredictionLogger(model=asked.model, kafka=settings, categorical=asked.categorical, spool="")
        with bars.counted("loaded", state.progress.total) as moved, log:
            moved(state.progress.rows)
            what.send(log, state, moved)
    except KeyboardInterrupt:
        return state.progress.done
    return True


def _now() -> int:
    return time.time_ns() // 1000


def _say(
    file: Path, asked: LoadMapping, before: Progress, progress: Progress, seconds: float, *, as_json: bool
) -> None:
    """What was done; rows that Kafka does not take are a failure."""
    if as_json:
        click.echo(json.dumps(_facts(file, asked, before, progress, seconds)))
    elif before.done:
        click.echo(f"{file} is loaded already, {progress.loaded:,} rows; --again loads it from the first row")
    else:
        more = f", {before.loaded:,} of them before" if before.rows else ""
        left_out = "labels without a truth" if asked.name == "label" else "expired ones"
        more += f"; {progress.skipped:,} {left_out} left out" if progress.skipped else ""
        click.echo(f"{progress.loaded:,} {asked.name}s of {asked.model} loaded{more}")
    if progress.refused:
        raise click.ClickException(
            f"{progress.refused:,} rows are larger than Kafka takes, and are not loaded"
        )


def _facts(
    file: Path, asked: LoadMapping, before: Progress, progress: Progress, seconds: float
) -> dict[str, object]:
    return {
        "file": str(file),
        "events": f"{asked.name}s",
        "model": asked.model,
        "rows": progress.rows,
        "loaded": progress.loaded,
        "loaded_before": before.loaded,
        "refused": progress.refused,
        "skipped": progress.skipped,
        "seconds": round(seconds, 3),
    }
