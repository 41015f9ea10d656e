"""`hindcast spool`: what services kept on disk while Kafka did not take it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from hindcast.cli.servers import KAFKA, variables
from producers.codec import decode
from producers.errors import ConfigError
from producers.kafka_sink import KafkaSink
from producers.registry import registry_of
from producers.settings import KafkaSettings
from producers.spool import Spool, SpoolSettings
from producers.spool.names import REFUSED, SEGMENT
from producers.spool.replay import Replay
from producers.spool.survey import OTHER, Entry, look, read_through
from stream_processors.kafka import partition_counts

_MICROS = 1_000_000
_AGES = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


_spool = click.option(
    "--spool", "given", type=click.Path(path_type=Path), help="The directory; HINDCAST_SPOOL unless said."
)


@click.group()
def spool() -> None:
    """What services kept on disk while Kafka was away: look at it, check it, deliver it."""


@spool.command("list")
@_spool
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_segments(given: Path | None, *, as_json: bool) -> None:
    """Show every segment, oldest first: age, messages, size, whether a living process holds it; never its content."""
    directory = _directory(given)
    _show(directory, list(look(directory)), as_json=as_json)


@spool.command()
@_spool
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def verify(given: Path | None, *, as_json: bool) -> None:
    """Read every segment through: checksums, block marks, and that each message can be decoded. Ends with 1 if not all is well."""
    directory = _directory(given)
    found = list(read_through(directory, partial(decode, registry=registry_of(_kafka()))))
    _show(directory, found, as_json=as_json)
    unsound = [entry.name for entry in found if not entry.is_sound]
    if unsound:
        if not as_json:
            click.echo(f"not sound: {', '.join(unsound)}")
        click.get_current_context().exit(1)


@spool.command()
@_spool
@click.option(
    "--refused",
    is_flag=True,
    help="Send what Kafka refused for good before, instead: after its limits were raised.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def replay(given: Path | None, *, refused: bool, as_json: bool) -> None:
    """Send what no living process holds to Kafka, oldest first, and delete what it acknowledged; Ctrl-C leaves the rest intact."""
    directory, settings = _directory(given), _kafka()
    own = Spool(directory)
    own.open()
    topics = partition_counts(settings)  # whether Kafka answers is known before anything is claimed
    if settings.topic("ledger") not in topics:
        raise ConfigError(f"the topic {settings.topic('ledger')} is not there: `hindcast topics` creates it")
    kind = REFUSED if refused else SEGMENT
    waiting = [entry for entry in look(directory) if entry.kind == kind]
    sink = KafkaSink(settings)
    sink.open()
    total = sum(entry.messages for entry in waiting if not entry.held)
    with _stoppable() as stopping:
        try:
            with _bar(total) as moved:
                registry = registry_of(settings)
                work = Replay(own, sink, registry, refused=refused, moved=moved, stopped=stopping.is_set)
                work.run()
        finally:
            own.close()
            sink.close()
            # behind the bar, not at the end of one that is drawn anew
            _tell(work, waiting, as_json=as_json)
    if stopping.is_set():
        raise click.Abort


def _directory(given: Path | None) -> Path:
    directory = given or SpoolSettings.from_environment(os.environ).directory
    if directory is None:
        raise ConfigError("no spool is named: say --spool DIR, or set HINDCAST_SPOOL")
    if not directory.is_dir():
        raise ConfigError(
            f"{directory} is no directory: --spool or HINDCAST_SPOOL names the spool of a service"
        )
    return directory


def _kafka() -> KafkaSettings:
    return KafkaSettings.from_environment(variables(os.environ, KAFKA))


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets; the second ends the process as ever."""
    stopping = threading.Event()

    before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]

    def back() -> None:
        for number, handler in before:
            signal.signal(number, handler)

    def stop(*_: object) -> None:
        stopping.set()
        back()

    try:
        for number, _ in before:
            signal.signal(number, stop)
        yield stopping
    finally:
        back()


@contextmanager
def _bar(total: int) -> Iterator[Any]:
    """A progress bar beside the output, moved by how many messages are settled."""
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)
        yield partial(progress.advance, task)


def _tell(work: Replay, waiting: Sequence[Entry], *, as_json: bool) -> None:
    held = sum(entry.held for entry in waiting)
    left = {entry.name: entry.problem for entry in waiting if entry.problem} | work.unreadable
    facts = {
        "segments": work.segments,
        "replayed": work.messages,
        "refused": dict(work.refused),
        "damaged_blocks": work.damage.blocks,
        "damaged_bytes": work.damage.bytes,
        "unreadable": left,
        "held": held,
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(f"replayed {work.messages} messages of {work.segments} segments")
    if work.refused:
        why = ", ".join(f"{reason}: {count}" for reason, count in sorted(work.refused.items()))
        click.echo(f"refused for good and kept aside: {why}")
    if work.damage.blocks:
        click.echo(
            f"damaged: {work.damage.blocks} blocks, {work.damage.bytes} bytes; their files are kept aside"
        )
    for name, fault in left.items():
        click.echo(f"{name} is left where it is: {fault}")
    if held:
        click.echo(f"{held} held by living processes, which deliver them themselves")


def _show(directory: Path, found: Sequence[Entry], *, as_json: bool) -> None:
    now = time.time()
    if as_json:
        for entry in found:
            age_s = None if entry.began is None else round(now - entry.began / _MICROS, 3)
            click.echo(json.dumps({**asdict(entry), "age_s": age_s, "sound": entry.is_sound}))
        return
    if not found:
        click.echo(f"nothing lies in {directory}")
        return
    table = Table("file", "what", "age", "messages", "bytes", box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        column.justify = "left" if column.header in {"file", "what"} else "right"
        # a terminal that is too narrow wraps the names, and cuts no figure off
        column.no_wrap, column.overflow = column.header != "file", "fold"
    for entry in found:
        age = "-" if entry.began is None else _age(now - entry.began / _MICROS)
        messages = "-" if entry.problem else str(entry.messages)
        row = (entry.name, "held" if entry.held else entry.kind, age, messages, str(entry.bytes))
        table.add_row(*(Text(cell) for cell in row))  # names are text of others, not markup
    Console().print(table, crop=False)
    for entry in found:
        for remark in _remarks(entry):
            click.echo(f"{entry.name}: {remark}")
    ours = [entry for entry in found if entry.kind != OTHER]
    click.echo(
        f"{sum(e.messages for e in ours)} messages, {sum(e.bytes for e in ours)} bytes in {len(ours)} files"
    )


def _age(seconds: float) -> str:
    for unit, name in _AGES:
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return "0 s"


def _remarks(entry: Entry) -> list[str]:
    said = [entry.problem] if entry.problem else []
    if entry.damaged_blocks:
        said.append(f"damaged: {entry.damaged_blocks} blocks, {entry.damaged_bytes} bytes")
    if entry.undecodable:
        said.append(f"undecodable: {entry.undecodable} messages")
    if entry.torn:
        said.append(f"torn: {entry.torn} bytes of an append that did not return")
    return said
